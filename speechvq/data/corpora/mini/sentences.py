"""English sentences for the built-in corpus, generated from word lists; they contain all English phones.

Nothing is quoted, so no license applies. A sentence has 6 to 12 words and lasts 2 to 4 seconds. The words
contain rare phones too: ZH (measure), OY (noise), UH (wood), TH, DH, NG.
"""

import random
import re
from collections.abc import Iterator, Sequence

ADJECTIVES = """
    old quiet yellow broken heavy narrow clever thin gentle purple rough shallow bright frozen young dusty
    wooden hollow cheap royal noisy loose smooth curious foreign huge loyal crooked strange golden plain
    weary brown useful fresh hungry damp sharp distant annoyed joyful eager thick usual lonely busy
    cautious pure modern worthy beige
""".split()

PEOPLE = """
    teacher sailor farmer judge neighbour captain child brother mother painter doctor cousin soldier thief
    baker singer author boy girl butcher father merchant cook driver pupil guard uncle nurse youth
    shepherd goldsmith joiner lawyer fisherman widow champion worker
""".split()

THINGS = """
    bottle picture chair basket letter hammer blanket mirror engine window book treasure package jewel
    ladder kettle feather boat violin button cushion wheel lantern coin oyster bridge fence hook
    pebble shovel towel machine paper mushroom cage curtain thimble thread mouth watch toy voyage message
    pleasure saddle cloth bowl ring
""".split()

PLACES = """
    kitchen valley harbour forest garage station church village office meadow attic castle market cellar
    museum river theatre prison barn island hospital school yard chapel desert town path house orchard
    shore pool
""".split()

TRANSITIVE = """
    carried found pushed painted measured sold brought hid cooked noticed dropped lifted shook washed
    chose borrowed destroyed enjoyed watched judged caught loved bought joined gathered threw forgot
    covered avoided fetched changed held polished
""".split()

INTRANSITIVE = """
    laughed waited slept vanished arrived shouted worked sang stood coughed paused stumbled rejoiced
    disappeared yawned breathed listened smiled argued decided
""".split()

IMPERATIVES = """
    carry find push measure bring hide drop choose join enjoy throw watch fetch cover polish take
""".split()

ADVERBS = """
    slowly often usually quietly rarely gladly never always boldly casually rudely loudly once carefully
""".split()

PREPOSITIONS = "near behind beyond beside above below across through outside towards".split()

OPENERS = (
    "yesterday",
    "on Thursday",
    "every morning",
    "before lunch",
    "after the voyage",
    "last July",
    "in the evening",
    "at noon",
    "this year",
    "by good fortune",
    "without warning",
    "long ago",
    "in August",
    "for pleasure",
    "at dusk",
)

MATERIALS = "cloth glass sugar wool leather smoke thread coffee earth ivory juice oil wood butter".split()

NUMBERS = "two three four five six seven eight nine eleven twelve thirteen twenty fifty".split()

PATTERNS = (
    "the {adjective} {person} {transitive} the {thing} {preposition} the {place}",
    "a {person} {adverb} {transitive} this {adjective} {thing}",
    "{opener} the {person} {transitive} a {adjective} {thing}",
    "{opener} the {adjective} {person} {intransitive} {preposition} the {place}",
    "{imperative} the {thing} and {imperative} the {adjective} {thing}",
    "both the {person} and the {person} {intransitive} {preposition} the {place}",
    "who {transitive} the {adjective} {thing} in the {place}?",
    "there were {number} {thing}s in the {adjective} {place}",
    "the {thing} of {material} was {adjective} and rather {adjective}",
    "her {thing} looks {adjective}, but his {thing} is {adjective}",
    "they {transitive} our {thing} while the {person} {intransitive}",
    "when the {person} {intransitive}, we {transitive} the {material}",
    "that {adjective} {thing} belongs to my {person}",
    "is the {place} {adjective}, or only the {thing}?",
    "she {adverb} goes to the {place} with her {person}",
    "you should {imperative} the {thing} {preposition} the {place}",
    "give the {person} {number} pieces of {material}",
    "I thought the {place} was too {adjective} for a {thing}",
    "nobody {transitive} the {thing} until the {person} {intransitive}",
    "{opener} the {person} {adverb} {transitive} a {thing} of {adjective} {material}",
    "the {person} who {transitive} the {thing} {intransitive} {preposition} the {adjective} {place}",
    "if you {imperative} my {adjective} {thing}, I shall {imperative} your {thing}",
    "neither the {adjective} {person} nor her {person} ever {transitive} the {thing}",
    "we saw the {adjective} {thing} and the {thing} {preposition} the {place}",
    "his {person} could hear the {adjective} noise of the {thing}",
)

WORDS: dict[str, Sequence[str]] = {
    "adjective": ADJECTIVES,
    "person": PEOPLE,
    "thing": THINGS,
    "place": PLACES,
    "transitive": TRANSITIVE,
    "intransitive": INTRANSITIVE,
    "imperative": IMPERATIVES,
    "adverb": ADVERBS,
    "preposition": PREPOSITIONS,
    "opener": OPENERS,
    "material": MATERIALS,
    "number": NUMBERS,
}


def sentences(seed: str) -> Iterator[str]:
    """Yield sentences without end and without repetition; the same seed gives the same sentences everywhere.

    Args:
        seed: any string, such as "0/f01".
    """
    draw = random.Random(seed)
    seen: set[str] = set()
    while True:
        sentence = _sentence(draw)
        if sentence not in seen:
            seen.add(sentence)
            yield sentence


def _sentence(draw: random.Random) -> str:
    """A pattern filled with words, none used twice, with a capital letter and a full stop."""
    fresh = {kind: draw.sample(words, len(words)) for kind, words in WORDS.items()}
    filled = re.sub(r"\{(\w+)\}", lambda slot: fresh[slot[1]].pop(), draw.choice(PATTERNS))
    text = _articles_and_plurals(filled)
    return text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")


def _articles_and_plurals(text: str) -> str:
    """Correct "a old" to "an old" and "watchs" to "watches"."""
    text = re.sub(r"\b(a) (?=[aeio]|uncle)", r"\1n ", text)
    return re.sub(r"(ch|sh|x)s\b", r"\1es", text)
