"""Tasks about a multiple-choice question: something is to be done with it, and no letter is the answer."""

# One kind of prompt a line: language | in front of the question | behind it. A `+` in front of a text puts it into the question's own line.
TASKS = r"""
en | Kazakh version: |
en | Say this in simpler words for a ten-year-old. |
en | Is option C too easy to rule out? |
en | | Is option C too easy to rule out?
en | Come up with a fifth option. |
en | | Add one more wrong option.
en | | Give me two more like it.
en | Harder version please |
en | | Can it be made harder?
en | Turn into an open question |
en | | Now as a true/false item.
en | Format as Moodle GIFT |
en | As a LaTeX enumerate, please: |
en | | Put it in a markdown table.
en | JSON object with the keys stem, options and key: |
en | Count the words of the stem. |
en | | How many characters is that?
en | What topic is this from? |
en | | Which chapter of a textbook would cover this?
en | Which skill does this test? |
en | | What Bloom level is it?
en | Grade 5 or grade 8? |
en | | Is it suited for primary school?
en | Typos? |
en | | Any typos?
en | | Is the English idiomatic?
en | A student answered B. Give feedback. |
en | | My student chose A. What misconception is behind that?
en | | The answer key has C. Do you agree?
en | | The key says B, I say D. Who's right?
en | | I picked A. Am I right?
en | | Correct answer: C. Write the explanation for the back of the card.
en | | Answer: B\n\nWhy?
en | | B?
en | | It's C, isn't it?
en | | Not A, obviously. What about the others?
en | | Why are the other options wrong?
en | | Tell me why each option is right or wrong.
en | | Give a short rationale.
en | | Walk through the elimination.
en | | Show how to solve it.
en | | Explain like I'm five.
en | | Don't tell me the answer, only a hint.
en | Give me a hint for this one: |
en | | No spoilers, just point me to the theory.
en | | Which two options could both be defended?
en | | Which options are certainly wrong?
en | | Which option would most people pick?
en | | Which distractor is the weakest?
en | | Rank the options from most to least likely.
en | | Give a probability for every option.
en | | State your confidence in each option.
en | | What would a flat-earther say?
en | | Answer in the voice of Yoda and tell a joke about it.
en | | Read it aloud to me slowly.
en | | Make a mnemonic for the answer.
en | | Draw a diagram.
en | | Sources?
en | | Cite a textbook.
en | | Write a paragraph about it.
en | | Summarise what one has to know for this.
en | | Then quiz me on something similar.
en | Quiz me. Start with this and wait for my reply. |
en | You are the examiner. Read this to the candidate. |
en | I will paste questions one at a time, first tell me whether each is clear. |
en | Save this for later |
en | Remember this question, I will come back to it. |
en | Our teacher made this up. Fair or unfair? |
en | Found in an old test. Is the wording outdated? |
en | Do you recognise where this is from? |
en | What does this question get wrong? |
en | Review for bias |
en | Regex that extracts the options of |
en | Parse: |
en | Python dict, please |
en | Shuffle the options |
en | | Swap A and D.
en | | Replace the second option by something funnier.
en | | Delete the longest option.
en | | Rewrite all options so that they have the same length.
en | | Proofread.
en | | Translate.
en | | Русский перевод, пожалуйста.
en | | Пояснение на русском.
en | | Қазақша нұсқасы керек.
en | | Thoughts?
en | | Is this real?
en | | What do you notice?
en | | I don't understand the question.
en | | What does the question even mean?
en | | Define every term in it.
en | | Which formula do I need?
en | | I have to present this tomorrow, please prepare speaker notes.
en | | This came up in the pub quiz last night and we argued for an hour.
en | | Nobody in my class knew this one.
en | | (Source: national exam 2019, item 14; 34 % answered correctly)
en | | Note that the original had five options.
en | | Key: D
en | | Correct: B
en | | ✓ C
en | | [answer hidden]
en | | Score: 0/1
en | | Time left: 12 s
en | Alt text for a screenshot with this text: |
en | Tweet it |
en | Slide with this on it, speaker notes below: |
en | Convert to Kahoot CSV |
en | Generate the answer explanation page: |
en | Duplicate check: do you know an identical item? |
ru | Переведи на английский |
ru | Перевод на казахский: |
ru | | Дай подсказку, но не ответ.
ru | | Почему остальные варианты неверны?
ru | | Подробное решение, пожалуйста.
ru | | Разбери каждый вариант.
ru | | Я выбрал Б. Это правильно?
ru | | Ответ: В. Объясни почему.
ru | | Правильный ответ Г, но я не согласен.
ru | Есть ли тут опечатки? |
ru | | Придумай ещё один неверный вариант.
ru | | Сделай сложнее.
ru | Оформи в виде таблицы |
ru | Вопрос для какого класса? |
ru | | К какой теме это относится?
ru | | Какие два варианта спорные?
ru | | Оцени вероятность каждого варианта.
ru | Запомни этот вопрос |
ru | Ученик ответил А. Что ему сказать? |
ru | | Источник: сборник 2018 года
ru | | Кто-нибудь знает, откуда это?
ru | | Что нужно выучить, чтобы решать такие?
kk | Орысшаға аударып бер |
kk | Ағылшынша нұсқасы: |
kk | | Кеңес бер, бірақ жауабын айтпа.
kk | | Басқа нұсқалар неге қате?
kk | | Толық шешуін көрсет.
kk | | Мен Б деп жауап бердім. Дұрыс па?
kk | | Жауабы: В. Себебін айт.
kk | Қатесі бар ма? |
kk | | Тағы бір қате нұсқа қос.
kk | | Қиындатып бер.
kk | Кесте түрінде бер |
kk | Нешінші сыныпқа арналған? |
kk | | Бұл қай тақырыпқа жатады?
kk | | Әр нұсқаның ықтималдығын айт.
kk | Оқушы А деп жауап берді. Не айтамын? |
kk | | Дереккөзі: 2018 жылғы жинақ
"""

# Two questions, or one with its answer, in other forms than a chat of examples has.
COMPOUND = (
    "{0}\n\n{1}",
    "{0}\n\n---\n\n{1}\n\nWhich of the two is harder?",
    "1. {0}\n\n2. {1}",
    "Question 1\n{0}\n\nQuestion 2\n{1}\n\nAnswers:",
    "Compare these two items.\n\n{0}\n\n{1}",
    "Вопрос 1. {0}\n\nВопрос 2. {1}",
    "1-сұрақ. {0}\n\n2-сұрақ. {1}",
    "Old version:\n{0}\n\nNew version:\n{1}",
    "> {0}\n\nThat one I know. But how about this:\n\n{1}\n\nand could you say why?",
    "{0}\n\nAnswer: A\n\n{1}\n\nAnswer: B",
    "Q: {0}\nA: no idea\nQ: {1}\nA: no idea either",
    "First: {0}\n\nSecond: {1}\n\nThird: what do they have in common?",
)

RUSSIAN = (
    "Какая планета ближе всех к Солнцу? | Венера; Меркурий; Марс; Земля",
    "Столица Австралии | Сидней; Мельбурн; Канберра; Перт",
    "Кто написал роман «Отцы и дети»? | И. С. Тургенев; Л. Н. Толстой; А. П. Чехов; И. А. Гончаров",
    "Какой газ образуется при фотосинтезе? | азот; кислород; водород; метан",
    "В каком году началась Вторая мировая война? | 1937; 1939; 1941; 1945",
    "Чему равен квадратный корень из 169? | 11; 12; 13; 14",
    "Процесс перехода жидкости в пар называется | конденсацией; испарением; плавлением; возгонкой",
    "Укажите слово с приставкой. | поход; дом; лесной; учитель",
)
