"""Troubles with tables: separators, headers, encodings, ids that become others."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from trouble_kind import Trouble, equal, read_table_of, refusal, written_table

import celsa_lib as cl
from celsa_lib.titles import history_of_user

Case = partial(Trouble, "tables")
RATED = "user_id,item_id,rating\nu1,i1,5\nu1,i2,2\nu2,i1,4\n"


def named_columns(folder: Path) -> str:
    text = "userId,movieId,rating,timestamp\n7,31,2.5,1260759144\n7,29,5,1260759179\n"
    options = {"user": "userId", "item": "movieId", "value": "rating", "min_rating": 4}
    return equal(read_table_of(folder, text, **options).item_ids, [29])


def no_header(folder: Path) -> str:
    text = "3\t1\t2.8978\t1\n3\t2\t2.6692\t1\n"
    refusal(lambda: read_table_of(folder, text), "there is no header")
    data = read_table_of(folder, text, user="1", item="2", header=False)
    return equal(data.item_ids, [1, 2])


def blanks_between(folder: Path) -> str:
    text = "user_id\titem_id\tvalue\n506246\t104000100187\t  49.26\n506246\t 104000100150\t17.89\n"
    return equal(read_table_of(folder, text).item_ids, [104000100150, 104000100187])


def other_columns(folder: Path) -> str:
    text = "id,user_id,when,item_id,note\n1,a,now,x,\n2,b,then,y,n\n"
    return equal(read_table_of(folder, text).item_ids, ["x", "y"])


def rows_of_a_wide_file(folder: Path) -> str:
    text = "69466470,29019227,1.0,1300000\n69466470,5093684,1.0,1300000\n"
    data = read_table_of(folder, text, user="1", item="2", value="3", min_rating=1, header=False)
    return equal(data.item_ids, [5093684, 29019227])


def separated_by_blanks(folder: Path) -> str:
    text = "user_id item_id\n1 10\n1 11\n"
    refusal(lambda: read_table_of(folder, text), "check the separator")
    return equal(read_table_of(folder, text, separator=" ").item_ids, [10, 11])


def western_letters(folder: Path) -> str:
    text = "user_id;item_id\n1;Amélie\n1;Übermut\n"
    return equal(read_table_of(folder, text, bytes_in="cp1252").item_ids, ["Amélie", "Übermut"])


def western_titles(folder: Path) -> str:
    films = "item_id|title\n1|Misérables, Les (1995)\n2|Café (1999)\n"
    items = written_table(folder, films, "films.csv", "latin-1")
    data = read_table_of(folder, "user_id|item_id\n7|1\n7|2\n", items=items)
    return equal(data.items["title"].tolist(), ["Misérables, Les (1995)", "Café (1999)"])


def byte_order_mark(folder: Path) -> str:
    data = read_table_of(folder, "user_id,item_id\nu,i\nu,j\n", bytes_in="utf-8-sig")
    return equal(data.item_ids, ["i", "j"])


def floats_that_are_ids(folder: Path) -> str:
    frame = pd.DataFrame({"user_id": [1, 2], "item_id": [5863.0, 7.0]})
    data = cl.load_interactions(frame, min_user_interactions=1)
    equal(read_table_of(folder, "user_id,item_id\n1,5863.0\n2,7.0\n").item_ids, [7, 5863])
    return equal(data.item_ids, [7, 5863])


def leading_zeros(folder: Path) -> str:
    return equal(
        read_table_of(folder, 'user_id,item_id\n1,"001"\n1,"002"\n').item_ids, ["001", "002"]
    )


def exact_beside_a_gap(folder: Path) -> str:
    text = "user_id,item_id,other\n1,1234567890123456789,\n1,1234567890123456788,1\n"
    return equal(read_table_of(folder, text).item_ids, [1234567890123456788, 1234567890123456789])


def beyond_64_bits(folder: Path) -> str:
    text = "user_id,item_id\n1,9223372036854775813\n1,11898508762506083287\n"
    wanted = ["11898508762506083287", "9223372036854775813"]
    return equal(sorted(read_table_of(folder, text).item_ids), wanted)


def words_for_nothing(folder: Path) -> str:
    text = "user_id,item_id\nu,NA\nu,None\nu,nan\nu,null\n"
    return equal(sorted(read_table_of(folder, text).item_ids), ["NA", "None", "nan", "null"])


def gap_in_a_frame(folder: Path) -> str:
    frame = pd.DataFrame({"user_id": [1, 2, None], "item_id": [4, 5, 6]})
    return refusal(lambda: cl.load_interactions(frame, min_user_interactions=1), "row 3", "user_id")


def odd_letters(folder: Path) -> str:
    ids = ["X3escB3aJ_rP1u5DaTN9cw", "-dash", "a b", "#1"]
    text = "user_id,item_id\n" + "".join(f"{name},{name}\n" for name in ids)
    data = read_table_of(folder, text)
    found = [data.item_ids[history_of_user(data, name).indices[0]] for name in ids]
    return equal(found, ids)


def a_dash_for_a_number(folder: Path) -> str:
    text = RATED.replace("u1,i2,2", "u1,i2,—")
    rated = {"value": "rating", "min_rating": 4}
    return refusal(lambda: read_table_of(folder, text, **rated), "row 2", "rating")


def rated_twice(folder: Path) -> str:
    data = read_table_of(folder, RATED + "u1,i2,5\nu1,i1,1\n", value="rating", min_rating=4)
    return equal(data.X.toarray().astype(int), [[1, 1], [1, 0]])


def seen_again_later(folder: Path) -> str:
    text = "user_id,item_id,time\nu,i,2022-09-26\nu,i,2020-09-01\nu,j,2021-01-01\n"
    return equal(read_table_of(folder, text, time="time").times.astype(str)[0][:10], "2020-09-01")


def items_nobody_chose(folder: Path) -> str:
    items = written_table(folder, "item_id,title\n9,Unseen\n1,One\n", "items.csv")
    data = read_table_of(folder, "user_id,item_id\nu,1\nu,2\n", items=items)
    return equal(data.items["title"].tolist(), ["One", "2"])


def unknown_user(folder: Path) -> str:
    data = read_table_of(folder, "user_id,item_id\n10,1\n11,2\n")
    return refusal(lambda: history_of_user(data, "12"), "no user 12", "10, 11")


def number_or_text(folder: Path) -> str:
    data = read_table_of(folder, "user_id,item_id\n1,5\n2,6\n")
    return equal(data.item_ids[history_of_user(data, "1").indices], [5])


def ids_of_two_kinds(folder: Path) -> str:
    frame = pd.DataFrame({"user_id": np.array([1, "1"], object), "item_id": [1, 2]})
    return refusal(lambda: cl.load_interactions(frame, min_user_interactions=1), "user_id", "same")


TABLES = [
    Case(
        "pandas-dev/pandas#14124", "every row ends with a separator", "the line is named",
        lambda folder: refusal(
            lambda: read_table_of(folder, "user_id,item_id,session\nu1,i9,s3,\nu2,i8,s4,\n"),
            "line 2", "4 fields",
        ),
    ),
    Case(
        "pandas-dev/pandas#9295", "the first row alone has a field too many", "the line is named",
        lambda folder: refusal(
            lambda: read_table_of(folder, "user_id,item_id\n0,5,\n0,6\n"), "line 2", "3 fields"
        ),
    ),
    Case(
        "NicolasHug/Surprise#41", "the header is taken for a rating", "it names the columns",
        named_columns,
    ),
    Case(
        "NicolasHug/Surprise#117", "a file without a header", "the way to read it is said",
        no_header,
    ),
    Case(
        "NicolasHug/Surprise#91", "tabs with blanks beside them", "ids have no blanks",
        blanks_between,
    ),
    Case(
        "NicolasHug/Surprise#223", "columns that nobody needs", "they are left out", other_columns
    ),
    Case(
        "NicolasHug/Surprise#281", "four columns and no names", "columns are counted",
        rows_of_a_wide_file,
    ),
    Case(
        "RUCAIBox/RecBole#1106", "a separator that the file does not have", "it is named",
        lambda folder: refusal(
            lambda: read_table_of(folder, "user_id\titem_id\n1\t2\n", separator=","),
            "separated by ','", "no column 'user_id'",
        ),
    ),
    Case(
        "RUCAIBox/RecBole#2000", "fields with a blank between them", "the separator is asked for",
        separated_by_blanks,
    ),
    Case(
        "RUCAIBox/RecBole#1822", "a file in no UTF-8", "letters are read as they were written",
        western_letters,
    ),
    Case(
        "stellargraph/stellargraph#2058", "titles in Latin-1", "they keep their accents",
        western_titles,
    ),
    Case(
        "awdeorio/mailmerge#93", "a byte order mark before the header", "it is in no name",
        byte_order_mark,
    ),
    Case(
        "apple/turicreate#283", "columns of other names", "those of the file are listed",
        lambda folder: refusal(
            lambda: read_table_of(folder, "who,movie_id\n1,2\n1,3\n", item="movie_id"),
            "no column 'user_id'", "'who', 'movie_id'",
        ),
    ),
    Case(
        "lyst/lightfm#570", "the id 5863.0, which was 5863", "it is the number",
        floats_that_are_ids,
    ),
    Case("apache/arrow#46853", "ids 001 and 002", "they keep their zeros", leading_zeros),
    Case(
        "pandas-dev/pandas#48170", "19 digits beside a gap", "every digit stays",
        exact_beside_a_gap,
    ),
    Case(
        "pandas-dev/pandas#52505", "ids of more than 64 bits", "every digit stays", beyond_64_bits
    ),
    Case(
        "browser-use/workflow-use#174", "ids NA, None, nan and null", "they are ids",
        words_for_nothing,
    ),
    Case(
        "mindsdb/dataprep_ml#30", "a missing id in a data frame", "the row is named",
        gap_in_a_frame,
    ),
    Case("ocelma/python-recsys#24", "ids with dashes and more", "they are found", odd_letters),
    Case(
        "RUCAIBox/RecBole#2125", "a dash in a column of numbers", "the row is named",
        a_dash_for_a_number,
    ),
    Case("lenskit/lkpy#46", "an item rated twice", "it counts once, by its best", rated_twice),
    Case(
        "chongminggao/KuaiRec#2", "a pair at several times", "the earliest counts",
        seen_again_later,
    ),
    Case(
        "lyst/lightfm#357", "items that nobody chose, and one without a title",
        "the ones chosen are kept", items_nobody_chose,
    ),
    Case(
        "massquantity/LibRecommender#167", "a user who is not in the data",
        "the error shows how ids look", unknown_user,
    ),
    Case("RUCAIBox/RecBole#1032", "a user by number or by text", "one user", number_or_text),
    Case(
        "recommenders-team/recommenders#45", "an id as number and as text", "the two are told",
        ids_of_two_kinds,
    ),
]  # fmt: skip
