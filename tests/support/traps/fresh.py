"""Prompts of other kinds, written after the rules had been made on the rest; the rules were not changed for them.

Menus, games, forms, letters, specifications, minutes, lessons, prompts of programs, and conversations, each with a vocabulary of its own.
"""

_POOLS = """
tools_: search_flights; book_table; send_mail; create_invoice; get_weather; run_query
moves: go north; light the torch; talk to the guard; open the chest; run away; drink the potion
moods: calm; nervous; hopeful; angry; tired; curious
fields: full name; date of birth; phone number; passport number; nationality; emergency contact
specs: at least 16 GB of memory; a matte screen; under 1.3 kg; two USB-C ports; quiet fans; three years of warranty
duties: answers the phone; opens the post; keeps the accounts; orders paper; greets visitors
evidence_: a torn ticket; muddy boots; a broken watch; an unsigned letter; two train tickets
excuses: the train was late; I overslept; my alarm did not ring; the dog ate it; there was a power cut
birds: a robin; two wrens; a kestrel; some starlings; a grey heron
lessons: warm-up with flashcards; reading in pairs; gap-fill; role play; exit ticket
standards: encrypt all backups; rotate keys monthly; log every login; patch within a week; no shared accounts
wines: a dry Riesling; a light Pinot Noir; a Georgian amber wine; a Rioja; an alcohol-free sparkling
tests_: returns 200 for a valid token; returns 401 without one; retries once on a timeout; closes the socket; keeps the order of rows
classes: billing; refund; shipping; complaint; praise
remarks: The intro is too long; Figure 2 has no units; The second claim needs a source; The ending is abrupt; Typos on page four
films: a heist that goes wrong; two sisters and a lighthouse; a robot that learns to lie; a cook who loses taste
diary: got up at six; missed the tram; had soup for lunch; called Zarina; finished the puzzle
parts: two long bolts; one hinge; four wooden dowels; a bag of screws; a glass shelf
genes: BRCA1; TP53; CFTR; APOE; MTHFR
sizes: 30 x 40 cm; 50 x 70 cm; 60 x 90 cm; 100 x 140 cm
hymn: Sleep, little ship, on the silver bay; The oars are still and the gulls away; Tomorrow the wind will call your name; Tonight there is only the harbour's flame
ru_forma: фамилия; дата рождения; номер телефона; адрес; место работы
ru_igra: пойти налево; постучать в дверь; зажечь фонарь; спрятаться за деревом
ru_zam: вступление затянуто; нет вывода; опечатка на второй странице; график без подписи
ru_det: два длинных болта; петля; четыре шканта; пакет шурупов
ru_veshi: тёплый свитер; фонарик; аптечка; спички; термос
kk_forma: аты-жөні; туған күні; телефон нөмірі; мекенжайы; жұмыс орны
kk_oyin: солға бұрылу; есікті қағу; шам жағу; ағаш артына тығылу
kk_eskertu: кіріспесі ұзақ; қорытындысы жоқ; екінші бетте қате бар; сурет жазусыз қалған
kk_zat: жылы жемпір; қол шам; дәрі қобдиша; сіріңке; термос
"""
POOLS = {
    name: [item.strip() for item in items.split(";")] for name, _, items in (line.partition(":") for line in _POOLS.strip().split("\n"))
}

LISTED = r"""
en | tools_ | You are an agent. These functions exist: | The user says: I need to be in Rome by noon.
en | tools_ | Functions that the assistant may call |
en | moves | You wake up in a dark cell. What do you do? |
en | moves | The door creaks. Your move! |
en | moves | Continue the story for each decision of the hero |
en | moods | How are you feeling right now? |
en | moods | Write a haiku for every mood |
en | moods | My week in moods |
en | fields | Application form |
en | fields | Please fill in the following: |
en | fields | Generate an HTML form with |
en | fields | Which of these fields does GDPR let us ask for? |
en | specs | Looking for a laptop with |
en | specs | Requirements for the new machine are |
en | specs | | Under 1,000 euros if possible.
en | duties | A receptionist normally |
en | duties | Job advert from these duties |
en | duties | Our secretary does the following every day: |
en | evidence_ | The detective looked at the table. She saw |
en | evidence_ | Who did it, and how do you know? |
en | evidence_ | Solve the murder! |
en | excuses | Rate my excuses |
en | excuses | Excuse generator, list of inputs |
en | excuses | Which of my excuses is the most believable? |
en | birds | Seen this morning at the pond: |
en | birds | Is it unusual to see all of them in January? |
en | lessons | Lesson plan, Tuesday |
en | lessons | How many minutes should each activity take? |
en | lessons | Swap two activities so that it flows better |
en | standards | Security policy, section 2 |
en | standards | Every team must |
en | standards | Gap analysis against ISO 27001 for these controls |
en | wines | With grilled fish we serve |
en | wines | What would a sommelier say about this selection? |
en | wines | Tasting notes |
en | tests_ | It should be true that the client |
en | tests_ | pytest functions for the following behaviour |
en | tests_ | Acceptance tests |
en | classes | Tags in our help desk |
en | classes | Few-shot examples for a classifier with these labels |
en | classes | Confusion matrix for the classes |
en | remarks | The reviewer wrote: |
en | remarks | How do I reply to the reviewer? |
en | remarks | Fair criticism? |
en | films | Loglines |
en | films | Which one would sell, and to whom? |
en | films | Title ideas for the following plots |
en | diary | Yesterday |
en | diary | Past perfect, please: |
en | diary | What kind of day was that? Give it a title. |
en | parts | In the box you will find |
en | parts | Step-by-step assembly with the following parts |
en | parts | One of these was missing when I opened the box |
en | genes | Variants of uncertain significance were found in |
en | genes | Which diseases are linked to mutations in |
en | genes | Function of the gene products |
en | sizes | Available formats |
en | sizes | Price list for prints |
en | sizes | How much glass do I need for frames of |
en | hymn | Lullaby, second verse |
en | hymn | Set to music in 6/8 |
en | hymn | Scansion |
ru | ru_forma | Анкета участника |
ru | ru_forma | Какие поля лишние с точки зрения закона? |
ru | ru_forma | Сверстай форму с полями |
ru | ru_igra | Ты в тёмном лесу. Твои действия? |
ru | ru_igra | Продолжение для каждого выбора |
ru | ru_zam | Замечания рецензента |
ru | ru_zam | Как на это ответить? |
ru | ru_det | Комплектация |
ru | ru_det | Одной детали не хватает, что делать? |
ru | ru_veshi | В поход беру |
ru | ru_veshi | Что лишнее в моём рюкзаке? |
kk | kk_forma | Қатысушы сауалнамасы |
kk | kk_forma | Осы өрістермен форма жаса |
kk | kk_oyin | Сен қараңғы ормандасың. Не істейсің? |
kk | kk_oyin | Әр таңдаудың жалғасын жаз |
kk | kk_eskertu | Рецензенттің ескертпелері |
kk | kk_eskertu | Бұған қалай жауап берейін? |
kk | kk_zat | Жорыққа аламын |
kk | kk_zat | Рюкзагымда не артық? |
"""

PROSE = r"""
I choose <moves>. What happens next?
I'd go with B) <wines>, not A) <wines>. Good call?
My answers were 1. A 2. C 3. B and the teacher gave me two points. Why?
You said: A) <excuses> B) <excuses>. Neither is true.
You are a classifier. Labels: A: <classes>, B: <classes>, C: <classes>. Text: "Where is my parcel?" Also return a confidence per label as JSON.
Classify each line as A) <classes> or B) <classes>:\n1. Where is my parcel?\n2. You charged me twice!
A/B/C test names for: A. <sizes> B. <sizes> C. <sizes>
Dear Ms Iskakova,\n\nwe found in the parcel\n(a) <parts>\n(b) <parts>\n(c) <parts>\nbut not the manual.\n\nKind regards
Minutes, 4 May. A. Dossanov reported on costs. B. Kim on hiring. C. Weber was absent.
Theorem 2. The following are equivalent:\n(a) f is continuous.\n(b) Preimages of open sets are open.\n(c) f preserves limits of sequences.
Show that (a) implies (b):\n(a) n is even.\n(b) n squared is even.
Let A. be a ring and B. an ideal. What is A/B?
Reaction scheme: A. + B. -> C. + D. Balance it for methane and oxygen.
Compound A: 12 mg. Compound B: 8 mg. Compound C: 30 mg. Molarity of each in 10 ml?
Verse A: <hymn>\nVerse B: <hymn>\nBridge: <hymn>
Voice A: <hymn>\nVoice B: <hymn>
Choir sections: A) sopranos B) altos C) tenors. Write parts for all.
The form has a section A. for parents and a section B. for schools. Who signs?
Terminal A. has lounges, terminal B. has none.
Dose A: 5 mg/kg, dose B: 10 mg/kg, placebo. Which statistical test?
Row A: <birds>\nRow B: <birds>\nRow C: <birds>
Seat A. window, seat B. middle, seat C. aisle. I always get B.
Scenario A: sales fall by 5 %. Scenario B: sales fall by 20 %. Cash flow in both?
Character A: <moods>. Character B: <moods>. They meet in a lift. Write it.
Student A: <excuses>\nStudent B: <excuses>\nTeacher:
Bot: How can I help?\nUser: <classes>\nBot: 1) <tools_> 2) <tools_> 3) agent\nUser: 3
Press 1) for <classes>, 2) for <classes>, 3) for an operator. Record this text in a friendly voice.
Config:\na: true\nb: false\nc: null\nWhy does my parser read null as text?
enum Size { A = 1, B = 2, C = 4 } Explain the flags.
SELECT a, b, c FROM t WHERE a = 1; -- A) index on a B) index on b C) both. The planner ignores all of them.
<li>A) <sizes></li><li>B) <sizes></li>
A\tB\tC\n1\t2\t3\n4\t5\t6
A, B, C\n1, 2, 3\n4, 5, 6\nSum per column.
A. <diary>\nB. <diary>\nC. <diary>\n\nIn third person.
1) <tests_>\n2) <tests_>\n3) <tests_>\n\nThe second fails since Monday.
- A. <specs>\n- B. <specs>\n\nI also need a webcam.
Exhibit A: <evidence_>. Exhibit B: <evidence_>. Closing argument for the defence.
Article 5.\n(1) <standards>\n(2) <standards>\nIs (2) stricter than (1)?
Grandma's three rules: A) never borrow salt B) knock twice C) feed the cat first.
Участник А. <ru_zam>. Участник Б. <ru_zam>.
Пункт а) <ru_det>; пункт б) <ru_det>. Составь акт.
А. — врач, Б. — учитель, В. — пилот. Кто из них живёт в Омске, если пилот живёт не там?
Дорогая редакция! А) <ru_zam>. Б) <ru_zam>. Исправьте, пожалуйста.
Докажите, что из а) следует б):\nа) число делится на 6\nб) число делится на 3
А бөлімі: <kk_zat>. Б бөлімі: <kk_zat>. Тізім жаса.
Құрметті редакция! А) <kk_eskertu>. Ә) <kk_eskertu>.
А – дәрігер, Ә – мұғалім, Б – ұшқыш. Олар туралы әңгіме құрастыр.
"""

# Conversations: turns separated by `||`, the first one of the user (or `system:`); `<q>` is a multiple-choice question.
CHATS = (
    "<q> || B || Are you sure?",
    "<q> || B. || Why not A?",
    "system: You write polite letters. || <q>",
    "system: Reply as a pirate. || <q>",
    "system: You are a tutor. Never reveal answers, ask guiding questions. || <q>",
    "system: Translate every message of the user into Kazakh. || <q>",
    "system: You review exam questions for clarity. || <q>",
    "system: Summarise what the user pastes in one sentence. || <q>",
    "Make questions harder. || Send me one. || <q>",
    "I will send questions. For each one, write an explanation for students. || Ready. || <q>",
    "Check my quiz for errors, one item at a time. || Go ahead. || <q>",
    "<q> || The answer is B because it is the only one that fits all the facts, and that is worth a longer discussion. || <q>",
    "Please translate what I send into Russian. || Sure. || <q>",
    "Hi || Hello! || <q>\n\nI got this wrong yesterday. What should I read to understand it?",
    "Let's play: you ask, I answer. || <q> || C",
    "<q> || A, B or C? || Tell me more about the topic first.",
)
