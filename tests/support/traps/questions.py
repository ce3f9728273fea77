"""Questions with lists that no single letter answers: about all the items, about the person who asks, about an order, about what is absent."""

# One kind of prompt a line: language | pool of the items | text in front | text behind. `\\n` is a line break.
OVER_ALL = r"""
en | animals | Where do the following animals live? |
en | animals | How long do these animals live? |
en | animals | What sound does each of them make? |
en | cities | In which country is each of these cities? |
en | cities | What are the populations of |
en | cities | How far is it from Paris to |
en | cities | Who founded these cities? |
en | authors | When were these authors born? |
en | authors | What did the following writers have in common? |
en | authors | Which books by these authors are in your corpus? |
en | battles | Who won? |
en | battles | What were the causes of these battles? |
en | years | What happened in these years? |
en | metals | At what temperature do these melt? |
en | metals | What are the chemical symbols? |
en | planets | How many moons do they have? |
en | planets | What is the distance from the Sun to |
en | colours | What are the complementary colours of the following? |
en | instruments | How is each of the following instruments played? |
en | words | What do the following words mean? |
en | words | Where is the stress in these words? |
en | words | How do you pronounce |
en | idioms | Where do these idioms come from? |
en | verbs | What is the past participle of each verb? |
en | sentences | What tense is used in each sentence? |
en | sentences | Are the following sentences correct? |
en | sentences | How would a native speaker say this? |
en | equations | What are the roots of these equations? |
en | equations | What is x in each case? |
en | integrals | What are the values of the integrals? |
en | facts | Are these facts or myths? |
en | facts | Which ones are true and which are false? |
en | claims | How would a doctor respond to these claims? |
en | claims | Is there evidence for any of these? |
en | code | What is printed by each of these? |
en | commands | What is the difference between these commands? |
en | tech | How do these differ? |
en | tech | What licences do the following databases use? |
en | languages | In what year did each language appear? |
en | drugs | What are the side effects of |
en | symptoms | What causes them? |
en | quotes | Which novels do these lines come from? |
en | movies | Who directed them? |
en | songs | Who sang the original versions? |
en | sports | How many players are in a team? |
en | plants | How often must these be watered? |
en | exam_questions | What are the answers to these? |
en | questions | What would you reply to a customer who asks |
en | numbers | What are these in imperial units? |
en | prices | What do these add up to? |
en | headlines | What happened here? |
en | long | What is the main idea of each paragraph? |
en | reviews | What is the sentiment of these reviews? |
en | columns | What data type would each column have? |
en | risks | What can be done about these risks? |
en | clauses | What do these clauses mean for me? |
ru | ru_cities | Когда были основаны эти города? |
ru | ru_cities | Сколько человек живёт в каждом из городов? |
ru | ru_words | Как пишутся эти слова на английском? |
ru | ru_words | Где ставится ударение? |
ru | ru_facts | Какие из них верны, а какие нет? |
ru | ru_sentences | В чём ошибка в каждом предложении? |
ru | ru_equations | Чему равен x в каждом случае? |
ru | ru_equations | Каковы корни уравнений? |
ru | ru_topics | Что почитать по этим темам? |
ru | ru_questions | Как ответить на такие вопросы? |
ru | ru_food | Чем заменить эти продукты? |
ru | ru_people | Когда у них именины? |
ru | ru_steps | Зачем нужен каждый шаг? |
kk | kk_cities | Бұл қалалар қашан салынған? |
kk | kk_cities | Әр қаланың халқы қанша? |
kk | kk_words | Бұл сөздер орысша қалай айтылады? |
kk | kk_facts | Қайсысы рас, қайсысы өтірік? |
kk | kk_sentences | Әр сөйлемнің қатесі неде? |
kk | kk_food | Бұл тағамдарды немен алмастыруға болады? |
kk | kk_questions | Мұндай сұрақтарға қалай жауап берген дұрыс? |
kk | kk_topics | Осы тақырыптар бойынша не оқуға болады? |
"""

PERSONAL = r"""
en | laptops | Which laptop would you get for video editing? |
en | laptops | I study architecture and travel a lot. Which one suits me? |
en | laptops | Thinking of buying one of these, what is the better deal? |
en | laptops | Which is better value? My budget is 900 euros. |
en | cities | Where would you go in November with two kids? |
en | cities | We have a week off in spring. What's the best choice? |
en | gifts | What would your grandmother like? |
en | hobbies | I get bored easily. What hobby is right for me? |
en | jobs | I got three offers. Which one should a shy person take? |
en | tech | Which database do people use for a small shop these days? |
en | tech | We have 10 million rows. What would be a good fit? |
en | tech | What's your go-to for time series? |
en | languages | Which would be nicer to work with? |
en | movies | What should we watch tonight? |
en | movies | Which film made you cry? |
en | songs | What's stuck in your head? |
en | plants | What would grow on my north-facing balcony? |
en | food | What can be left out of the recipe? |
en | features | Which would users miss most? |
en | risks | Which risk worries you most? |
en | bugs | Which bug do we fix first? |
en | tickets | What's the quickest win? |
en | chores | What can wait until Sunday? |
en | dates | What day suits you? |
en | times | When are you free? |
en | roles | Who speaks first? |
en | people | Who is bringing the cake? |
en | people | Who should lead the project? |
en | symptoms | What is the worst of these? |
en | authors | Who do I read first? |
en | verses | Which line is the weakest? |
en | animals | Would you rather be |
en | planets | Where would you build a base? |
ru | ru_topics | Что взять для курсовой? |
ru | ru_tasks | С чего начать? |
ru | ru_tasks | Что из этого можно отложить? |
ru | ru_food | Без чего можно обойтись? |
ru | ru_people | Кого назначить старостой? |
ru | ru_people | Кто сегодня дежурит? |
ru | ru_words | Какое слово тебе больше нравится? |
ru | ru_agenda | Какой пункт нам убрать? |
kk | kk_tasks | Неден бастайын? |
kk | kk_food | Несіз-ақ пісіруге болады? |
kk | kk_people | Бүгін кім кезекші? |
kk | kk_words | Саған қай сөз көбірек ұнайды? |
"""

ORDERS = r"""
en | years | Put in chronological order. |
en | battles | Arrange from earliest to latest: |
en | steps | What is the correct order? |
en | steps | Is this the right order? |
en | cooking | In what order do I do this? |
en | cooking | Which steps can I do the day before? |
en | planets | Order from the Sun outwards |
en | numbers | From smallest to largest: |
en | prices | Sort descending |
en | languages | Rank these from easiest to hardest |
en | animals | Sort alphabetically |
en | animals | Which two are most closely related? |
en | animals | Which of these are mammals? |
en | animals | Which of them lay eggs? |
en | metals | Which of the following are magnetic? |
en | facts | Which statements are true? |
en | facts | How many of these are correct? |
en | claims | Which two claims are backed by studies? |
en | cities | Which cities are capitals? |
en | cities | Name the odd ones out. |
en | words | Match each word with a synonym. |
en | words | Complete the gaps with these words: The ___ man gave a ___ reply. |
en | verbs | Fill the gaps: She ___ the dog and ___ the ball. |
en | idioms | Match the idioms with pictures 1 to 6. |
en | authors | Which of these authors won the Nobel Prize? Name all. |
en | sentences | Which sentences contain an error? |
en | sentences | Underline the mistakes. |
en | sentences | How many sentences are wrong? |
en | equations | Which equations have two solutions? |
en | roles | Who reports to whom? |
en | topics | What is missing from this list? |
en | agenda | Which items need a vote? |
en | features | Which of these would be paid features? |
en | bugs | Which of these are duplicates? |
en | tickets | Which tickets block others? |
en | risks | Which risks are internal? |
en | columns | Which columns need an index? |
en | commands | Which commands are destructive? |
en | code | Which lines raise an exception? |
en | log | On which lines does it retry? |
en | lines | Who says what? |
en | chapters | What comes between B and C? |
en | tools | What is B used for? |
en | food | How much of A do I need for 4 people? |
en | clauses | Does C contradict A? |
en | long | Does the second contradict the first? |
en | variables | Is A correlated with B? |
en | drugs | Is B safe with A? |
en | laptops | Is B really faster than A? |
en | tech | Why choose B over A? |
ru | ru_steps | В каком порядке это делать? |
ru | ru_steps | Расставь по порядку |
ru | ru_facts | Какие утверждения верны? |
ru | ru_cities | Какие из этих городов были столицами? |
ru | ru_sentences | В каких предложениях есть ошибки? |
ru | ru_words | Какие слова устарели? |
ru | ru_equations | Какие уравнения не имеют решений? |
ru | ru_food | Чего не хватает? |
ru | ru_agenda | Какие пункты требуют голосования? |
kk | kk_steps | Қандай ретпен орындаймын? |
kk | kk_steps | Рет-ретімен қой |
kk | kk_facts | Қай тұжырымдар дұрыс? |
kk | kk_cities | Бұлардың қайсылары астана болған? |
kk | kk_sentences | Қай сөйлемдерде қате бар? |
kk | kk_food | Не жетпей тұр? |
"""
