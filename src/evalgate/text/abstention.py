"""Whether an answer says that the given passages hold no answer. By phrases, English and Spanish."""

from __future__ import annotations

from evalgate.text.citations import citations
from evalgate.text.handover import hands_over
from evalgate.text.phrases import any_of, plain
from evalgate.text.sentences import sentences

_OPENING = 2
_READ = 800
"""Sentences and characters in which an abstention must stand: an answer that mentions a gap later is still an answer."""

# What the model was given to read. Never "policy" or "plan" alone: "the policy does not cover it" is an answer.
_GIVEN = (
    r"\b(passage|document|excerpt|context|source|text|material|information|section|reference)s?\b"
)
_POLICY = r"\b(policy|plan|handbook|contract|booklet)\b"
_NOT = r"((do|does|did|is|are|was|were|has|have|can|could) not|not|never|nowhere)"
_SAY = r"(say|state|mention|address|specify|discuss|indicate|define|tell|describe|explain|note)"
_RULES_ON = "(say|state|mention|address|specify|indicate|define|explain)"
_PEOPLE = r"[^.]*(\b(authori[sz]ation|consent|permission|in writing)\b| to (a|an|any|your|other|another|third|someone)\b)"
"""A plan that "does not say anything to your mother" has a rule about people, not a gap."""
_HOLD = rf"({_SAY}|contain|include|answer|provide|cover|give|list|show|offer|talk about|go into|deal with)"
_SAID = (
    "(said|stated|mentioned|addressed|specified|discussed|indicated|described|answered|given|found)"
)
_HELD = rf"({_SAID}|contained|included|provided|covered|listed|available)"
_SEEK = "(answer|determine|find|tell|say|locate|confirm|establish|see|identify)"
_WORD = r"(\w+ )?"
_WORDS = r"( \w+){0,3}?"
_NEAR = "[^.]{0,30}"

_DADO = r"\b(pasajes?|documentos?|fragmentos?|contexto|textos?|seccion(es)?|informacion|fuentes?)\b"
_DICE = r"(dice|indica|menciona|especifica|aclara)n?\b"
_CONTIENE = rf"({_DICE}|(contiene|responde|aborda|incluye|senala|trata|explica|habla|proporciona|aparece|figura|consta)n?\b)"

_SABER = "(puedo|podemos|se puede|es posible) (responder|determinar|saber|decir|contestar)"

_ABSTAINS = any_of(
    # the passages do not say; the excerpts are silent; no passage mentions
    rf"{_GIVEN}{_WORDS} {_NOT} {_WORD}{_HOLD}\b",
    rf"({_GIVEN}|{_POLICY}){_WORDS} (is|are) silent\b",
    rf"{_GIVEN}{_WORDS} (say|contain|mention|show|provide|include|state)s? nothing\b",
    rf"{_GIVEN}{_WORDS} (make|give|contain|offer)s? no \w",
    rf"{_GIVEN}{_WORDS} leaves? \w+ (open|unclear|unanswered)\b",
    rf"{_POLICY}( \w+)? (do|does) not (\w+ly )?{_RULES_ON}\b(?!{_PEOPLE})",
    rf"no {_WORD}{_GIVEN} {_HOLD}s?\b",
    # nothing in, none of, not in, no mention in the passages
    rf"(nothing|nowhere){_WORDS} (in|about|on)\b[^.]{{0,60}}{_GIVEN}",
    rf"none of\b{_NEAR}{_GIVEN}",
    rf"{_NOT} (anywhere )?in (the|these|this|those|any) {_WORD}{_GIVEN}",
    rf"(no|not enough|insufficient) {_WORD}(information|mention|details?|answer|reference|evidence)\b"
    rf"[^.]* (in|by|from|about|on|to)\b[^.]*({_GIVEN}|{_POLICY}|\b(answer|determine|say)\b)",
    # not stated in the passages, cannot be answered from them
    rf"{_NOT} {_WORD}(be )?{_HELD} (anywhere )?(in|by|from|with)\b{_NEAR}{_GIVEN}",
    rf"not {_HELD} in the {_POLICY}",
    rf"(this|that|it|question|topic|point|answer|information) (is|was) not {_SAID}\b\W*$",
    rf"({_NOT}|unable to|(not |im)possible to) (be )?{_SEEK}(ed)?\b[^.]{{0,80}}{_GIVEN}",
    rf"{_GIVEN}{_NEAR}({_NOT}|unable|impossible|not possible) (to )?(be )?{_SEEK}",
    r"can not be (answered|determined)\b",
    rf"not clear from\b{_NEAR}{_GIVEN}",
    rf"(beyond|outside|more information than) (of )?(the|these) {_GIVEN}",
    # I do not know
    r"(?<!\w )i do not know\b\W*($|if|whether|from|based|the answer)",
    rf"i do not have (the|enough|sufficient|any|that) {_WORD}information\b",
    r"we are not told\b",
    # Spanish
    rf"{_DADO}( \w+){{0,2}}? no (l[oa] |se )?{_CONTIENE}",
    rf"(poliza|plan|contrato) no (l[oa] )?{_DICE}",
    rf"no estan? en\b{_NEAR}{_DADO}",
    rf"{_DADO}{_NEAR}\bno {_SABER}|\bno {_SABER}[^.]* (con|segun|en|de|por) (\w+ )?{_DADO}",
    rf"no (l[oa] )?(encuentro|hay|tengo|se (menciona|indica|encuentra|especifica|dice|puede))\b[^.]*{_DADO}",
    r"(?<!\w )no (lo )?se\b ?($|[.,;!]|si\b)",
)


def abstains(text: str) -> bool:
    """Whether `text` says, in its first two sentences, that the passages it was given do not answer the question.

    "The policy does not cover acupuncture" answers; "the passages do not say" abstains, and so does "I don't know". An
    answer that cites a passage before it admits a gap does not abstain. Nor does one that answers after all ("but yes, it is covered";
    see `handover`).
    """
    for i, sentence in enumerate(sentences(text[:_READ])[:_OPENING]):
        if says_no_answer(plain(sentence)):
            return not hands_over(text, i)
        if citations(sentence):
            return False
    return False


def says_no_answer(sentence: str) -> bool:
    """Whether one sentence in plain form (see `phrases`) says that the passages hold no answer."""
    return _ABSTAINS.search(sentence) is not None
