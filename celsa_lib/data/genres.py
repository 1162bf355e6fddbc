"""Genres of items as words, those among the tags of Goodreads' readers, and series in titles."""

import re
from functools import cache

# What a part has taken it keeps: where two parts may take a blank, 60,000 of them take seconds.
SERIES_IN_TITLE = re.compile(r"\((?P<series>[^()#]++)#[^()]*+\)\s*$")
GENRE_TAGS = (  # of Goodreads, where a tag is called a shelf
    "art biography business chick-lit children christian classics comics contemporary cookbooks "
    "crime fantasy fiction gay-and-lesbian graphic-novels historical-fiction history horror humor "
    "manga memoir music mystery non-fiction paranormal philosophy poetry psychology religion "
    "romance science science-fiction self-help spirituality sports suspense thriller travel "
    "young-adult"
).split()
NO_GENRE = "(no genres listed)"  # as MovieLens writes it
# What readers note for themselves says nothing about a book: "books-i-own", "my-manga", "to-read".
# An "i" with no such verb behind it is a numeral: "world-war-i".
READERS_NOTE = re.compile(
    r"\bi (own|have|ve|am|m|want|need|read|like|love)(e?d)?\b.*"
    r"|\b(my|mine|own(ed)?|((to|currently|re) )?read(ing)?|wish ?list|favou?rites?|default)\b"
)
POSSESSIVE = re.compile(r"\b(\w{2,}) s\b")  # "children-s": no tag has an apostrophe
# Spellings of the same genre, and short forms written out; what stands here is not replaced again.
SPELLINGS = {
    "sci fi": "science fiction",
    "scifi": "science fiction",
    "sf": "science fiction",
    "ya": "young adult",
    "young adults": "young adult",
    "teens": "young adult",
    "teen": "young adult",
    "childrens": "children's",
    "children": "children's",
    "kids": "children's",
    "womens": "women's",
    "lit": "literature",
    "chick lit": "chick lit",
    "fic": "fiction",
    "nonfiction": "non-fiction",
    "non fiction": "non-fiction",
    "biographies": "biography",
    "memoirs": "memoir",
    "mysteries": "mystery",
    "thrillers": "thriller",
    "classic": "classics",
    "vampires": "vampire",
    "comics": "comic",
    "graphic novels": "graphic novel",
    "novels": "",
    "books": "",
    "book": "",
    "tv": "TV",
    "wwii": "World War II",
    "ww2": "World War II",
    "world war ii": "World War II",
    "world war 2": "World War II",
    "world war two": "World War II",
    "usa": "American",
    "us": "American",
    "u s": "American",
    "uk": "British",
    "dc": "DC",
    "bio": "biography",
    "auto biography": "autobiography",
    "sciencefiction": "science fiction",
    "historicalfiction": "historical fiction",
    "childrensbooks": "children's",
    "romances": "romance",
    "for": "",
    "audiobook": "",
    "audiobooks": "",
}
_SPELLED = re.compile(rf"\b({'|'.join(sorted(SPELLINGS, key=len, reverse=True))})\b(?!')")


@cache
def genre_name(genre: str) -> str:
    """A genre as words: "sci-fi" → "Science Fiction", "manga-i-own" → "Manga", "to-read" → ""."""
    if "-" in genre and genre[:1].isupper():
        return genre  # "Film-Noir", "Sci-Fi": a name as it stands
    words = re.sub(r"[-_\s]+", " ", genre).strip().lower()
    words = READERS_NOTE.sub("", words)
    words = POSSESSIVE.sub(r"\1's", " ".join(words.split()))
    words = _SPELLED.sub(lambda found: SPELLINGS[found[0]], words)
    words = re.sub(r"\b\d+\b", "", words)
    unique = list(dict.fromkeys(words.split()))
    return " ".join(word if word[:1].isupper() else word[:1].upper() + word[1:] for word in unique)
