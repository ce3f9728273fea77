"""Things that people list, and ways in which they label them: the vocabulary of the ordinary prompts that `tests/support/traps` writes."""

import random
from collections.abc import Sequence

LATIN, LOWER, RUSSIAN, KAZAKH = "ABCDEFGH", "abcdefgh", "АБВГДЕЖЗ", "АӘБВГҒДЕ"
DIGITS = "12345678"

_POOLS = """
food: two eggs; a cup of flour; 200 g of butter; a pinch of salt; vanilla sugar; baking powder; sour cream; grated cheese; fresh dill
groceries: milk; bread; rice; apples; washing powder; dog food; light bulbs; toothpaste; green tea
cities: Lisbon; Osaka; Tbilisi; Montreal; Nairobi; Bergen; Valparaíso; Almaty; Hanoi
people: Aigerim; Tomás; Priya; Jonas; Mei; Fatima; Oleg; Chloe; Samuel
authors: Jane Austen; Orhan Pamuk; Abai; Toni Morrison; Chinua Achebe; Selma Lagerlöf; Haruki Murakami; Octavia Butler
animals: otter; saiga; barn owl; hedgehog; axolotl; snow leopard; stork; beaver; gecko
instruments: cello; dombra; oboe; marimba; accordion; harp; trombone; banjo
sports: rowing; fencing; judo; curling; water polo; archery; biathlon; squash
plants: basil; lavender; tomato seedlings; a fig tree; mint; peonies; chives; strawberries
tools: a spirit level; wood glue; sandpaper; a cordless drill; masking tape; clamps; a handsaw; screws
tech: Postgres; Redis; Kafka; SQLite; MongoDB; ClickHouse; DuckDB; RabbitMQ
languages: Python; Rust; Go; Kotlin; Haskell; Elixir; Julia; OCaml
laptops: ThinkPad X1; MacBook Air; Framework 13; Dell XPS 13; Zenbook 14; Surface Laptop
jobs: junior data analyst; barista; project coordinator; nurse; bus driver; QA engineer; archivist
chapters: Introduction; Related work; Data; Method; Results; Discussion; Limitations; Conclusion
agenda: Welcome; Budget update; Hiring; Office move; Any other business; Next meeting; Questions from the floor
goals: read twelve books; sleep before midnight; learn to swim; call grandma every week; save 10 % of my income; cook at home
bugs: the login button does nothing on Safari; totals are off by one cent; dark mode resets; search ignores accents; export hangs at 99 %; emails arrive twice
tickets: Add pagination to the orders list; Rotate the staging keys; Migrate cron jobs; Drop Python 3.8; Rename the billing module; Cache avatars
steps: Open the settings; Choose your language; Restart the router; Wait two minutes; Enter the code; Press Save; Log in again
chores: water the plants; take out the rubbish; feed the cat; vacuum the stairs; clean the oven; pay the rent; iron the shirts
cooking: Preheat the oven to 180 °C; Whisk the eggs; Fold in the flour; Pour into a tin; Bake for 25 minutes; Let it cool; Dust with sugar
features: offline mode; shared calendars; export to PDF; two-factor login; dark theme; keyboard shortcuts; custom tags
risks: the supplier is late; key staff leave; costs rise by a fifth; the permit is refused; the pilot fails; demand is lower than planned
facts: The Nile flows north; Honey keeps for years; Octopuses have three hearts; Iceland has no mosquitoes; Bananas are berries; Sound is slower than light
claims: Coffee stunts growth; Goldfish forget everything; Lightning never strikes twice; Vitamin C cures colds; We use a tenth of our brain; Bulls hate red
sentences: She have two brothers; He don't likes tea; I am agree with you; They was late again; We discussed about it; It depends from the weather
quotes: "I'll think about it tomorrow"; "To be or not to be"; "Elementary"; "All happy families are alike"; "Call me Ishmael"; "So it goes"
words: serendipity; ubiquitous; gregarious; obsolete; candid; meticulous; frugal; ambiguous
verbs: to fetch; to borrow; to soothe; to wander; to argue; to forgive; to crawl; to boast
idioms: break the ice; spill the beans; under the weather; a piece of cake; hit the sack; once in a blue moon
equations: 2x + 3 = 11; x² − 5x + 6 = 0; 3(x − 2) = 12; x/4 + 1 = 3; 5 − 2x = 9; x² = 49
integrals: ∫ x e^x dx; ∫ sin²x dx; ∫ dx/(1+x²); ∫ ln x dx; ∫ x³ dx
numbers: 12.5 kg; 340 ml; 7 km; 19 °C; 3/8; 0.45; 1,204; 62 %
dates: 3 March; 14 May; 1 September; 22 November; 30 December; 9 July
times: 09:00 registration; 09:30 keynote; 11:00 coffee; 13:00 lunch; 14:30 workshops; 17:00 closing
prices: $4.20; $19.99; $7; $130; $64.50; $2,300
roles: chair; treasurer; secretary; note-taker; photographer; timekeeper
symptoms: a sore throat; mild fever; a runny nose; tired eyes; stiff neck; no appetite
drugs: ibuprofen 400 mg; vitamin D; amoxicillin; cetirizine; omeprazole; folic acid
movies: Stalker; Amélie; Parasite; Spirited Away; The Godfather; Moonlight; Arrival
songs: Hey Jude; Zombie; Clocks; Hallelujah; Imagine; Wonderwall; Yellow
gifts: a scarf; a board game; concert tickets; a fountain pen; a cookbook; a plant
hobbies: knitting; bouldering; chess; birdwatching; pottery; baking; photography
questions: What time does it open?; Is parking free?; Can we bring a dog?; How do I get a refund?; Where is the cloakroom?; Do you have vegan food?
interview: Tell us about a conflict at work; Why did you leave your last job?; What is your notice period?; Describe a failure; Where do you see yourself in five years?
exam_questions: What is photosynthesis?; Name the layers of the Earth; Who was Genghis Khan?; Define inertia; What is the capital of Peru?; State Ohm's law
topics: climate policy; urban transport; sleep and memory; remote work; food waste; local history; screen time
clauses: The tenant pays the rent by the fifth; Either party may end this agreement; The deposit is returned within 30 days; Pets are not allowed; Repairs are the landlord's duty
reviews: Great battery but it gets hot; Arrived broken, no reply from support; Best headphones I ever had; Too small, sent it back; Works as described
headlines: Council votes to close the old bridge; Rain ends a record drought; Local team signs a new coach; Bakery wins a national prize; Museum finds a lost map
emails: Hi team, the server is down again; Dear Ms Ortiz, please find the invoice attached; Reminder: the form is due on Friday; Thanks for the lovely evening
variables: the outside temperature; the number of visitors; the price of a ticket; the day of the week; the distance to the city
columns: customer_id; order_date; total; country; channel; refunded
colours: teal; burgundy; mustard; ivory; charcoal; lilac
planets: Mercury; Venus; Mars; Saturn; Neptune; Uranus
metals: iron; copper; zinc; tin; lead; nickel; aluminium
battles: Hastings; Waterloo; Ankara; Cannae; Austerlitz; Gallipoli
years: 1066; 1453; 1789; 1861; 1917; 1969; 1991
long: Remote workers report higher satisfaction, yet they also say that they miss informal talks with colleagues; The new tram line cut travel times by a fifth, though it cost twice as much as planned; Schools that start later see fewer absences, and grades rise slightly in the first year; Farmers near the river plant earlier than their parents did, since the spring floods come sooner
verses: The snow was slow to go this year; The river kept its own slow time; My father walked the fence alone; And nothing moved except the light; We counted geese until the dark; The kettle sang its narrow song
lines: Where were you last night?; I told you, at the theatre; The theatre was closed; Then I must have been dreaming; Nobody dreams in the rain; Give me the keys
code: for i in range(10): print(i); x = x + 1; return None; import os; if not rows: raise ValueError; names.sort()
commands: git fetch origin; npm run build; docker compose up -d; kubectl get pods; chmod +x run.sh; tail -f app.log
log: 12:01 worker started; 12:02 connection refused; 12:02 retry 1; 12:05 retry 2; 12:09 giving up; 12:10 worker stopped
ru_food: мука; два яйца; сливочное масло; щепотка соли; молоко; сахар; ванилин; сметана
ru_tasks: позвонить врачу; забрать посылку; оплатить интернет; купить билеты; полить цветы; сдать отчёт; починить кран
ru_cities: Казань; Самарканд; Тбилиси; Иркутск; Минск; Ереван; Караганда
ru_topics: экология города; права потребителя; история театра; финансовая грамотность; здоровый сон; кибербезопасность
ru_steps: Откройте настройки; Выберите язык; Перезагрузите устройство; Введите пароль; Нажмите «Сохранить»; Подождите минуту
ru_agenda: Открытие собрания; Отчёт за квартал; Выборы председателя; Бюджет; Разное; Закрытие
ru_sentences: Он пошёл в магазине; Я скучаю за тобой; Они одели пальто; Мы ложим книги на стол; Согласно приказа; Более лучше
ru_words: доблесть; искренность; лукавство; благодушие; рвение; смятение
ru_facts: Волга впадает в Каспийское море; Кит — млекопитающее; Стекло делают из песка; Байкал — самое глубокое озеро; Пчёлы видят ультрафиолет
ru_questions: Сколько стоит доставка?; Можно ли вернуть товар?; Где вы находитесь?; Есть ли скидка студентам?; Когда вы работаете?
ru_people: Марат; Ольга; Данияр; Светлана; Ирина; Тимур
ru_equations: 3x − 7 = 8; x² − 4 = 0; 5(x + 1) = 20; 2x + y = 7; |x − 3| = 2
ru_lines: Ты где был?; Дома сидел; А почему не отвечал?; Телефон разрядился; Опять?; Ну прости
kk_food: ұн; екі жұмыртқа; сары май; тұз; сүт; қант; қаймақ
kk_tasks: дәрігерге қоңырау шалу; билет алу; гүл суару; есеп тапсыру; кітапханаға бару; үй жинау
kk_cities: Шымкент; Ақтау; Семей; Қостанай; Тараз; Павлодар; Түркістан
kk_topics: қала экологиясы; ұлттық ойындар; сандық сауаттылық; дұрыс тамақтану; отбасы құндылықтары; су тапшылығы
kk_steps: Баптауларды ашыңыз; Тілді таңдаңыз; Құрылғыны өшіріп қосыңыз; Құпиясөзді енгізіңіз; «Сақтау» түймесін басыңыз
kk_agenda: Кіріспе сөз; Тоқсан қорытындысы; Бюджет; Сайлау; Басқа мәселелер; Қорытынды
kk_sentences: Мен кеше кітап оқимын; Ол мектепке келдік; Балалар ойнап жатыр едім; Біз ертең бардық; Сен қайда барамын
kk_words: жомарттық; парасат; қайсарлық; мейірім; ұқыптылық; намыс
kk_facts: Балқаш көлінің жартысы тұщы; Домбыраның екі ішегі бар; Жер Күнді айналады; Алтай ең биік тау емес; Бал бұзылмайды
kk_questions: Жеткізу қанша тұрады?; Тауарды қайтаруға бола ма?; Мекенжайыңыз қайда?; Жеңілдік бар ма?; Қашан жұмыс істейсіздер?
kk_people: Айгерім; Нұрлан; Дана; Ержан; Салтанат; Бекзат
"""
POOLS = {
    name: [item.strip() for item in items.split(";")] for name, _, items in (line.partition(":") for line in _POOLS.strip().split("\n"))
}

_LINES = ("{}. ", "{}) ", "({}) ", "{}: ", "[{}] ", "**{}.** ", "- {}. ", "Option {}: ", "{} - ")
_INLINE = ("({}) ", "{}) ", "{}. ")


def labels(generator: random.Random, language: str) -> str:
    """An alphabet; capital letters are the most misleading ones and so the most frequent."""
    if language == "kk":
        return generator.choice((KAZAKH, KAZAKH, RUSSIAN, LATIN, DIGITS))
    if language == "ru":
        return generator.choice((RUSSIAN, RUSSIAN, LATIN, DIGITS, RUSSIAN.lower()))
    return generator.choice((LATIN, LATIN, LATIN, DIGITS, LOWER))


def listed(generator: random.Random, items: Sequence[str], language: str = "en", *, inline: bool | None = None) -> str:
    """Items with labels, on lines or, in a sixth of the cases, in one line."""
    alphabet = labels(generator, language)
    if inline or (inline is None and generator.random() < 1 / 6):
        form, between = generator.choice(_INLINE), generator.choice((" ", "  ", ", ", "; "))
        return between.join(form.format(label) + item for label, item in zip(alphabet, items, strict=False))
    forms = [form for form in _LINES if language == "en" or "Option" not in form]
    form = generator.choice((*forms, *forms[:3], *forms[:3]))
    return "\n".join(form.format(label) + item for label, item in zip(alphabet, items, strict=False))


def some(generator: random.Random, items: Sequence[str], least: int = 3, most: int = 5) -> list[str]:
    return generator.sample(items, min(len(items), generator.randint(least, most)))
