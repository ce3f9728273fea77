"""Lists that are no options: what people paste with a heading, with a request, or as the matter of which they speak."""

# One kind of prompt a line: language | pool of the items | text in front | text behind. `\\n` is a line break.
PASTED = r"""
en | agenda | Board meeting, 12 June |
en | agenda | Draft agenda for Thursday |
en | agenda | The meeting went as follows. |
en | groceries | Shopping for Saturday |
en | groceries | Need from the store: |
en | goals | New Year resolutions |
en | goals | What I want to do this year: |
en | goals | My goals for 2027 |
en | bugs | Known issues in 4.2 |
en | bugs | We found these bugs yesterday. |
en | bugs | Release notes, version 3.1.0\n\nFixed |
en | tickets | Sprint 14 backlog |
en | tickets | Remaining work |
en | tickets | Done this week: |
en | chapters | Table of contents |
en | chapters | Structure of my thesis: |
en | chapters | The paper is organised as follows: |
en | steps | How to reset the box |
en | steps | Getting started |
en | steps | If the light is red, do this: |
en | steps | Follow this procedure |
en | cooking | Grandma's sponge cake |
en | cooking | Method |
en | cooking | Lemon drizzle, serves 8\n\nIngredients are on the back.\n |
en | food | For the dough you need |
en | food | Ingredients for pancakes: |
en | chores | Weekend |
en | chores | Before we leave: |
en | features | What's new |
en | features | The app offers: |
en | features | Premium plan includes |
en | risks | Risk register, Q3 |
en | risks | The main risks are: |
en | clauses | Terms of the lease |
en | clauses | The parties agree that |
en | clauses | Section 4. Duties of the tenant |
en | clauses | It is agreed: |
en | roles | Committee 2026/27 |
en | times | Conference, day one |
en | times | Programme |
en | symptoms | Since Monday I have had |
en | symptoms | Patient reports |
en | symptoms | She was admitted with the following: |
en | drugs | Current medication: |
en | drugs | I take |
en | dates | Deadlines this year |
en | dates | Bank holidays: |
en | headlines | Top stories |
en | headlines | In the news today: |
en | reviews | What customers say |
en | reviews | Last week's feedback was |
en | facts | Five things you may not know about nature |
en | facts | Today I learned that |
en | claims | Common myths |
en | claims | People often say that |
en | quotes | Quotes I like |
en | words | Vocabulary, unit 7 |
en | words | Words of the week: |
en | idioms | Idioms we learned today |
en | verses | Winter poem |
en | verses | by R. Hale\n |
en | lines | Scene 2. A kitchen at night. |
en | lines | INT. FLAT - NIGHT |
en | code | def main(): |
en | code | Output of the linter |
en | commands | To deploy: |
en | commands | Makefile targets |
en | log | worker.log |
en | log | The service said: |
en | columns | The table has the columns |
en | columns | Schema of orders.csv: |
en | variables | Predictors in the model: |
en | variables | We measured |
en | prices | Invoice 2231 |
en | numbers | Measurements at noon |
en | equations | Worksheet 5 |
en | equations | Exercise 12. Solve. |
en | integrals | Problem set 3, due Friday |
en | integrals | Calculate. |
en | exam_questions | History test, class 7b |
en | exam_questions | Revision |
en | interview | Interview, second round |
en | questions | FAQ |
en | questions | Questions from customers: |
en | movies | Film club, spring |
en | songs | Playlist for the drive |
en | gifts | Ideas for mum's birthday |
en | people | Present were |
en | people | Team B |
en | cities | Route |
en | cities | Our trip takes us through |
en | years | Dates to remember |
en | battles | Chapter 9: great battles |
en | long | Findings |
en | long | Our report comes to three conclusions: |
en | long | The minister made these points in the speech. |
en | topics | Seminar topics, winter term |
ru | ru_food | Рецепт бабушкиных блинов |
ru | ru_food | Для теста потребуется |
ru | ru_tasks | Дела на сегодня |
ru | ru_tasks | Нужно успеть до пятницы: |
ru | ru_cities | Маршрут поездки |
ru | ru_cities | Наши филиалы: |
ru | ru_topics | Темы рефератов |
ru | ru_topics | Тематика конференции |
ru | ru_steps | Как сбросить пароль |
ru | ru_steps | Порядок действий |
ru | ru_steps | Если устройство не включается: |
ru | ru_agenda | Повестка дня |
ru | ru_agenda | Протокол № 7\nСлушали |
ru | ru_sentences | Контрольная работа, вариант 2 |
ru | ru_words | Словарная работа |
ru | ru_facts | Интересные факты |
ru | ru_facts | Сегодня на уроке мы узнали, что |
ru | ru_questions | Частые вопросы |
ru | ru_people | Присутствовали |
ru | ru_people | Победители олимпиады: |
ru | ru_equations | Домашняя работа |
ru | ru_equations | Решите. |
ru | ru_lines | Сцена третья. Кухня. |
kk | kk_food | Бауырсақтың құрамы |
kk | kk_food | Қажетті өнімдер: |
kk | kk_tasks | Бүгінгі істер |
kk | kk_tasks | Жұмаға дейін үлгеру керек: |
kk | kk_cities | Сапар бағыты |
kk | kk_cities | Біздің филиалдар: |
kk | kk_topics | Реферат тақырыптары |
kk | kk_steps | Құпиясөзді қалпына келтіру |
kk | kk_steps | Нұсқаулық |
kk | kk_agenda | Күн тәртібі |
kk | kk_sentences | Бақылау жұмысы, 1-нұсқа |
kk | kk_words | Сөздік жұмысы |
kk | kk_facts | Қызықты деректер |
kk | kk_facts | Бүгін сабақта мынаны білдік: |
kk | kk_questions | Жиі қойылатын сұрақтар |
kk | kk_people | Қатысқандар |
"""

REQUESTED = r"""
en | agenda | How long would a meeting with this agenda take? |
en | agenda | Draft minutes from this |
en | groceries | Cheapest way to get all this? |
en | goals | Turn these into SMART goals. |
en | goals | Motivate me! |
en | bugs | Severity for each, please |
en | bugs | | Which team should own each bug?
en | bugs | Group by component |
en | tickets | Estimate in story points |
en | tickets | | Write acceptance criteria.
en | tickets | What order makes sense here? |
en | chapters | Is this outline ok? |
en | chapters | Reviewers will hate it unless I add something. What's missing? |
en | steps | | It still doesn't work.
en | steps | Add screenshots to the text: |
en | steps | Did I forget a step? |
en | cooking | Scale to 20 people. |
en | cooking | | Can I freeze it?
en | food | What can I bake with |
en | food | Calories? |
en | chores | Split fairly between two people |
en | features | Marketing copy for |
en | features | Elevator pitch from these features: |
en | risks | Mitigation? |
en | risks | Score likelihood and impact from one to five |
en | clauses | Plain English please |
en | clauses | Is any of this illegal in Germany? |
en | clauses | | What happens if I break one of them?
en | roles | What does each role do? |
en | times | Make a nice schedule out of it |
en | times | I arrive at ten. What do I miss? |
en | symptoms | Should I see a doctor? |
en | symptoms | What could it be? |
en | drugs | Interactions? |
en | drugs | Can I take these together? |
en | dates | How many days lie between the first and the last? |
en | headlines | Which sound like clickbait? |
en | headlines | Spanish versions |
en | reviews | Sentiment of every review |
en | reviews | Reply kindly to these |
en | facts | Fact check |
en | facts | Which are wrong? |
en | claims | Debunk |
en | claims | Are they true? |
en | claims | | Sources would be great.
en | quotes | Who said what? |
en | quotes | Attribute |
en | words | Synonyms |
en | words | Use in sentences |
en | words | Etymology of |
en | verbs | Past tense of |
en | verbs | Conjugate |
en | idioms | Meaning? |
en | idioms | German equivalents for |
en | sentences | Correct my English |
en | sentences | What's wrong here? |
en | sentences | Grammar check! |
en | sentences | Spot the mistakes |
en | verses | Continue in the same metre |
en | verses | What rhyme scheme is this? |
en | lines | Carry on with the dialogue |
en | lines | Who is lying here, and how can you tell? |
en | code | Bugs? |
en | code | What does every line do? |
en | code | Port to TypeScript |
en | commands | What do these do |
en | commands | Which one needs root? Also, why? |
en | log | Diagnose |
en | log | What went wrong? |
en | log | Root cause? |
en | columns | SQL to create a table with |
en | columns | SELECT statement with all of: |
en | variables | What unit should each have? |
en | prices | Sum |
en | prices | Add up: |
en | numbers | Convert to imperial |
en | numbers | Average of |
en | equations | Solve step by step |
en | equations | x = ? |
en | equations | Solutions with working |
en | integrals | Evaluate the following integrals. |
en | integrals | Integrate by hand and show me how |
en | exam_questions | Answers please |
en | exam_questions | Reply in one line each |
en | interview | How would you answer? |
en | interview | Role-play: you are the candidate. |
en | questions | Polite answers for our website |
en | movies | Something similar? |
en | movies | One-line pitch for each film |
en | songs | What do they have in common? |
en | gifts | For an aunt who has everything? |
en | people | Random order please |
en | people | Put them into two teams |
en | people | Birthday cards for |
en | cities | Weather in October? |
en | cities | Distances between |
en | cities | Weekend itinerary for each |
en | animals | Latin names |
en | animals | What do they eat? |
en | instruments | How are they tuned? |
en | sports | Rules in a nutshell |
en | plants | When do I sow these? |
en | tools | What else do I need to build a shelf? |
en | tech | Compare |
en | tech | Pros and cons |
en | tech | When would one use which? |
en | languages | Hello world in |
en | languages | Rank by speed |
en | laptops | Pros/cons table |
en | jobs | Typical salary for |
en | jobs | Cover letter templates: |
en | topics | Essay questions about |
en | topics | Pick something for my seminar and outline it |
en | colours | Hex codes |
en | planets | Their moons, ordered by size |
en | metals | Melting points |
en | battles | Dates and outcomes |
en | years | What happened in |
en | long | TL;DR |
en | long | One-sentence abstract, formal tone |
en | emails | Reply for each, friendly |
en | emails | Which of these are spam and what gives them away? |
en | hobbies | Starter kit for |
en | authors | Where do I start with these? |
en | authors | Birth years |
ru | ru_food | Сколько в этом калорий? |
ru | ru_food | Что можно приготовить? |
ru | ru_tasks | Распредели по дням |
ru | ru_cities | Какая там погода в мае? |
ru | ru_cities | | Хочу объехать всё за неделю.
ru | ru_topics | План реферата по каждой теме |
ru | ru_topics | Накидай идей |
ru | ru_steps | | Не помогло, что дальше?
ru | ru_agenda | Сколько времени займёт такое собрание? |
ru | ru_agenda | Протокол по пунктам |
ru | ru_sentences | Где ошибки? |
ru | ru_sentences | Найди ошибки в предложениях |
ru | ru_words | Что означают эти слова? |
ru | ru_words | Синонимы |
ru | ru_words | Толкование |
ru | ru_facts | Правда ли это? |
ru | ru_facts | Верно ли, что |
ru | ru_questions | Ответы для сайта, вежливо |
ru | ru_people | Кто когда дежурит? График на неделю |
ru | ru_equations | Решить с объяснением |
ru | ru_equations | Найдите x. |
ru | ru_lines | Продолжи диалог |
ru | ru_lines | Как бы ты ответил на последнее? |
kk | kk_food | Бұдан не пісіруге болады? |
kk | kk_food | Қанша калория? |
kk | kk_tasks | Күндерге бөліп бер |
kk | kk_cities | Мамырда ауа райы қандай болады? |
kk | kk_cities | Әрқайсысы туралы қысқаша |
kk | kk_topics | Эссе жоспары керек |
kk | kk_steps | | Бәрібір істемейді.
kk | kk_agenda | Хаттамасын жасап бер |
kk | kk_sentences | Қатесін тап |
kk | kk_sentences | Қай жерде қате бар? |
kk | kk_words | Мағынасы қандай? |
kk | kk_words | Синонимдері |
kk | kk_facts | Осының бәрі рас па? |
kk | kk_questions | Сыпайы жауап керек |
kk | kk_people | Кезекшілік кестесі |
"""
