"""Writes similarities.json: what rouge-score 0.1.2, NLTK 3.9 and rapidfuzz 3 say of a few pairs of texts.

pip install rouge-score nltk rapidfuzz && python make_similarities.py
"""
import json
import pathlib
import re

from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from nltk.translate.gleu_score import sentence_gleu
from rapidfuzz import fuzz
from rouge_score import rouge_scorer

pairs = [
    ("You can return it within 30 days.", "You can return any item within 30 days of delivery."),
    ("The parcel arrives tomorrow.", "The parcel arrives tomorrow."),
    ("the parcel arrives tomorrow", "The parcel arrives tomorrow!"),
    ("Tomorrow the parcel arrives", "The parcel arrives tomorrow"),
    ("Please, please, please wait: it's on its way.", "Please wait. It's on its way, isn't it?"),
    ("refund", "refund"),
    ("refund", "A refund takes five days."),
    ("We ship to Norway, Sweden and Finland; shipping takes 3-5 days and costs 7.50.",
     "We ship to Norway and Sweden. Shipping takes 3-5 days and costs 7.90 for each parcel."),
    ("no", "yes"),
    ("", "yes"),
    ("one two three four five six seven eight", "one two three four five six seven nine"),
]
names = ["rouge1", "rouge2", "rouge3", "rouge4", "rouge5", "rougeL"]
scorer = rouge_scorer.RougeScorer(names, use_stemmer=False)


def tokens(text):
    return re.findall(r"[^\W_]+|[^\s\w]|_", text)


rows = []
for answer, reference in pairs:
    rouge = scorer.score(reference, answer)
    own, wanted = tokens(answer), tokens(reference)
    rows.append({
        "answer": answer,
        "reference": reference,
        "scores": {
            "fuzzy_match": fuzz.ratio(answer, reference) / 100,
            "bleu": sentence_bleu([wanted], own, smoothing_function=SmoothingFunction().method2) if own else 0,
            "gleu": sentence_gleu([wanted], own),
            **{name.replace("rouge", "rouge_").lower(): rouge[name].fmeasure for name in names},
        },
    })
path = pathlib.Path(__file__).with_name("similarities.json")
path.write_text(json.dumps(rows, indent=2) + "\n")
