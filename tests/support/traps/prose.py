"""Labels that are none: initials, grades, speakers, clauses, code, logs, tables, parts of an exercise. `<cities>` draws an item of a list."""

PROSE = r"""
A. <people>son and B. <people>man wrote the paper. Who is the first author?
Dr. A. <people>ov, Prof. B. <people>ova and C. <people> are on the committee.
Plan A: <goals>. Plan B: <goals>. Plan C: there is none.
If A) <risks> and B) <risks>, what is left of the project?
Vitamin A. is in carrots, vitamin B. in meat, vitamin C. in lemons. And D?
Blood groups: A: 34 %, B: 22 %, O: 38 %. How do these add up?
Grades: A: 9 students, B: 12 students, C: 4 students. Average?
In case (a) <risks>, (b) <risks>, or (c) both happen, who pays?
The contract ends (a) on notice, (b) by agreement, or (c) when <risks>.
A: "<lines>" B: "<lines>" A: "<lines>"
A: <lines>\nB: <lines>\nC: <lines>
A: <questions>\nB: Yes.
a) <equations>\nb) <equations>\nc) <equations>
Let ABC be a triangle.\na) Show that the angles add up to 180 degrees.\nb) Find the area.\nc) Draw the circle around it.
A car starts at <times> and drives 120 km.\n(a) How long does it take at 60 km/h?\n(b) At what speed would it take an hour?
The function f(x) = x^2 - 4 is given.\na) Zeros\nb) Vertex\nc) Graph
Read the text and answer.\n1. <exam_questions>\n2. <exam_questions>\n3. <exam_questions>
Дана функция y = x^2.\nа) Найдите производную.\nб) Постройте график.\nв) Найдите площадь под графиком.
Берілген: y = 2x + 1.\nа) Графигін салыңыз.\nб) Нөлін табыңыз.
Прочитайте текст.\n1. О чём он?\n2. Кто герой?\n3. Чем всё кончилось?
[1] <authors>, 2019. [2] <authors>, 2021. [3] <authors>, 2023. Are these citations in APA style?
[A] <headlines>\n[B] <headlines>\n[C] <headlines>
switch (key) {\ncase 'A': return 1;\ncase 'B': return 2;\n}
if grade == "A": print("great")\nelif grade == "B": print("fine")
A = [1, 2, 3]\nB = [4, 5, 6]\nC = A + B
A: int = 1\nB: str = "x"\nC: float = 2.0\nWhat does mypy say?
C:\\Users\\me\nD:\\Backup\nHow do I move files from one to the other?
a: 1\nb: 2\nc: 3\n\nIs this valid YAML?
A | B | Y\n0 | 0 | 0\n0 | 1 | 1
| A | <cities> |\n| B | <cities> |\n| C | <cities> |
| A | 12 | 14 |\n| B | 9 | 11 |\n\nPlot this.
| 1 | <words> | noun |\n| 2 | <words> | noun |
1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 White to move.
1. d4 d5 2. c4 e6 3. Nc3 Nf6 What is this opening called?
A1: 14\nB1: 3\nC1: =A1*B1
Track list:\nA1. <songs>\nA2. <songs>\nB1. <songs>
Side A. <songs>, <songs>. Side B. <songs>.
Team A: <people>, <people>\nTeam B: <people>, <people>
Group A: <cities>, <cities>. Group B: <cities>, <cities>. Who plays whom?
Exit A: <cities>\nExit B: <cities>\nExit C: airport
Gate A. closes at 12. Gate B. closes at 13.
Hepatitis A. spreads by food, hepatitis B. by blood.
Type A: <reviews>\nType B: <reviews>
Variant A: <headlines>\nVariant B: <headlines>
Version A) 3.1 % clicks, version B) 3.4 % clicks, n = 20,000. Significant?
Test group A: 14 of 200. Test group B: 22 of 200. p-value?
Option A: <features>, $5 a month. Option B: <features>, $9 a month. Also free trial?
Patient A. (34 y) has <symptoms>. Patient B. (51 y) has <symptoms>.
Person A: <claims>. Person B: no, <facts>.
Speaker A: <lines>\nSpeaker B: <lines>
Interviewer: <interview>\nA: Well, it depends.\nB: I would say so.
Q: <questions>\nA: Yes, always.
Q. <exam_questions>\nA. I don't know.\nB. Me neither.
Step A. <steps>. Step B. <steps>. It fails at step B.
Appendix A. <chapters>\nAppendix B. <chapters>
A. <chapters>\n  1. <topics>\n  2. <topics>\nB. <chapters>\n  1. <topics>
I. <chapters>\n A. <topics>\n B. <topics>\nII. <chapters>
1. <chapters>\n a) <topics>\n b) <topics>\n2. <chapters>\n a) <topics>
A) <goals>\nB) <goals>\n\nHonestly I only managed the first.
The regex ^[a-c]\) matches a) and b) and c) at the beginning. Why not d)?
Press (A) to jump, (B) to run, (X) to shoot. How do I save?
Keys: (1) walk (2) talk (3) use
The notes are A. B. C. D. E. F. G. Where is the octave?
Strings of a ukulele: G, C, E, A. How do I tune it?
Chords: A: 002220 B: 224442 C: 032010
Hotel A) has a pool. Hotel B) has a view. We are four people with a dog.
She got an A. in maths, a B. in art and a C. in sport. What do I tell her?
As J. <people> and A. B. <people> note, <claims>.
<people> A., <people> B., <people> C. are late again.
А. С. Пушкин, М. Ю. Лермонтов, Л. Н. Толстой: кто родился раньше?
Участник А: <ru_people>\nУчастник Б: <ru_people>
А: <ru_lines>\nБ: <ru_lines>\nА: <ru_lines>
Группа А: <ru_cities>. Группа Б: <ru_cities>.
п. 1 а) <ru_tasks>; б) <ru_tasks>; в) <ru_tasks>. Как это оформить приказом?
Вариант А: <ru_topics>. Вариант Б: <ru_topics>. Нам задали оба.
Витамин А: морковь. Витамин В: мясо. Витамин С: лимон.
5 «А»: 24 ученика, 5 «Б»: 27 учеников. Сколько всего?
А) <ru_equations>\nБ) <ru_equations>\nРешение с ответами, пожалуйста.
1) <ru_questions>\n2) <ru_questions>\n3) <ru_questions>
А тобы: <kk_people>, <kk_people>\nБ тобы: <kk_people>
А: <kk_questions>\nБ: Білмеймін.\nА: Ал кім біледі?
А. Құнанбайұлы, Ы. Алтынсарин, Ш. Уәлиханов туралы қысқаша айт.
5 «А»: 24 оқушы, 5 «Ә»: 27 оқушы. Барлығы қанша?
1) <kk_questions>\n2) <kk_questions>
а) <kk_tasks>\nә) <kk_tasks>\nб) <kk_tasks>\nОсыларды бүгін бітіру керек.
А) нұсқасы: <kk_topics>. Ә) нұсқасы: <kk_topics>. Екеуін де жазамыз.
Dear all,\n\nthe plan for <cities>:\n\nA. <chores>\nB. <chores>\nC. <chores>\n\nBest,\n<people>
Hi <people>, three things:\n1. <chores>\n2. <chores>\n3. <chores>
From: <people>\nSubject: <agenda>\n\nA) <tickets>\nB) <tickets>
Yesterday <people> told me:\nA. <claims>\nB. <claims>
<people> says hello.\n\n(a) <facts>\n(b) <facts>\n(c) <facts>
Lemma 3. For all n:\n(a) n^2 >= n\n(b) 2^n > n\n(c) n! >= 1
We use the notation\n(1) f for the price\n(2) g for the demand
Given: A: <variables>; B: <variables>. Wanted: a regression.
Legend: A: <animals>, B: <animals>, C: <animals>
Menu\nA. <food>, $4\nB. <food>, $6\nC. <food>, $7
Room A. holds 20, room B. holds 35, room C. holds 80. We are 50.
Rules:\n(1) <clauses>\n(2) <clauses>\nMay I keep a hamster?
Answer key: 1. B 2. D 3. A 4. C
My answers: 1) c 2) a 3) d. The key: 1) c 2) b 3) d. My score?
1.B 2.C 3.A 4.D
1 - A, 2 - C, 3 - B
A - <cities>, B - <cities>, C - <cities>: shortest round trip?
The sets are A: {1, 2}, B: {2, 3}, C: {3}. What is A ∩ B?
Matrix A: 2x3, matrix B: 3x2. Size of AB?
Resistor A: 10 ohm. Resistor B: 20 ohm. In parallel?
Sample A: 12.1, 12.3, 12.2\nSample B: 12.9, 13.0, 12.8\nRun a t-test.
Company A: margin 12 %\nCompany B: margin 9 %\nCompany C: margin 21 %
Bus A. leaves at <times>. Bus B. leaves at <times>.
To-do: (1) <chores> (2) <chores> (3) <chores>. When?
"""
