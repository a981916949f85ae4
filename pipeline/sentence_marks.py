"""Tables of what ends a sentence and what only looks like it, for several languages.

Kept apart from the rules that read them, so that a language can be added without reading those.
Abbreviations are written without their last full stop; all but `TITLES` are compared in lower case.
"""

STRONG = frozenset("!?！？。｡．؟۔։।॥።။។‼⁇⁈⁉")
CLAUSE = frozenset(",;:，、､；：،؛—၊፣፤|·")
DASHES = frozenset("-–")
ELLIPSIS = "…"

# The name always follows: the point after these never ends a sentence.
TITLES = frozenset(
    "Mr Mrs Ms Mx Dr Prof Mme Mlle Messrs Gen Col Sgt Capt Lt Cmdr Maj Rev Hon Sen Rep Gov Pres"
    " Supt Mt Ft Fig Sr Sra Srta Dra Hr Fr Frau Ing Dipl Sig Herr dr mr mrs ms prof".split()
) - {"Frau", "Herr", "Fr", "Sr"}
NEVER_LAST = frozenset(
    "e.g i.e eg ie cf viz vs approx ca z.b d.h u.a bzw p.ex p.ej т.е т.к incl".split()
)

# These may end a sentence or go on; a word that often begins one decides.
SOMETIMES_LAST = frozenset(
    "inc corp ltd co llc bros jr sr st ave blvd rd dept etc al jan feb aug sept sep oct nov dec"
    " tue tues thu thurs oz lb lbs min max hrs tel usw ph.d т.д".split()
)
BEFORE_NUMBER = frozenset("no nos nr núm pp p pg vol sec ch art ver §".split())
CLOCK = frozenset({"a.m", "p.m"})

MONTHS = frozenset(
    "january february march april may june july august september october november december januar"
    " februar märz mai juni juli oktober dezember jänner".split()
)
AFTER_CLOCK = MONTHS | frozenset(
    "monday tuesday wednesday thursday friday saturday sunday eastern pacific central mountain gmt"
    " utc est edt pst pdt cst cdt mst mdt cet cest bst".split()
)

# Words that often begin a sentence, to read "the U.S. The" and "the U.S. Army" apart.
STARTERS = frozenset(
    "the a an this that these those it its i we you he she they there here then now so but and or"
    " if in on at by for from with when where what which who why how do does did is are was were"
    " can could will would shall should may have has had my your our their his her as after before"
    " while since because although however also please let yes no not all some many most each both"
    " next finally first second once just thanks sure okay ok to".split()
)

# A phrase may begin before one of these: conjunctions, relatives, prepositions. Words that lean
# on the one before them ("of", "to", "up", "off") are left out, and so are those that are common
# words of another language listed here.
CONNECTIVES = frozenset(
    "about above across after against along although among and around as at because before behind"
    " below beneath beside between beyond but despite during except for from if in inside into like"
    " near nor on onto or since than that through throughout though toward towards under unless"
    " until upon when whenever where whereas whether which while who whose with within without"
    # German, Dutch
    " und oder aber weil dass wenn mit für von bei nach ohne durch gegen über unter zwischen"
    " während bevor nachdem damit sondern maar omdat voor zonder terwijl wanneer"
    # French, Spanish, Italian, Portuguese
    " et ou mais parce avec dans sur chez vers depuis pendant puis lorsque quand pero porque con"
    " para por desde hasta sobre cuando donde mientras aunque perché quando mentre senza dopo mas"
    " com sem até onde enquanto"
    # Russian, Arabic, Hindi
    " и но или что чтобы потому когда если на для из к от لكن لأن في من إلى على مع عن और लेकिन"
    " क्योंकि जब अगर".split()
)

# Words that lean on the next one: a break after them sounds like a stumble.
LEANING = CONNECTIVES | frozenset(
    "a an the my your his her its our their this these those is are was were be been am isn't will"
    " would can could should might must shall do does did has have had not no very too so of to up"
    " i'm it's we're you're i'll we'll you'll what how some any each every"
    " el la los las un una le les des du de del il lo gli der das den dem ein eine einen einem het"
    " o os um uma ao да не".split()
)

# These lean on a verb that follows, but end a phrase as well: "with you | and".
PRONOUNS = frozenset("i we you he she they it".split())

# Korean endings that close a clause inside a sentence, and particles that close a phrase in
# Japanese; Chinese words a phrase begins with.
KOREAN_ENDINGS = ("지만", "는데", "고", "면", "서", "며", "니까")
JAPANESE_PARTICLES = frozenset("はがをにでとも")
CHINESE_CONNECTIVES = frozenset(
    "但是 因为 因為 所以 如果 而且 并且 並且 或者 不过 不過 然后 然後 虽然 雖然 以及 可是 同时"
    " 同時".split()
)
