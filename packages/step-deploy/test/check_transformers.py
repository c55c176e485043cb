"""Opens a deployed folder with Hugging Face transformers and compares its logits with those of golden.json.

usage: python check_transformers.py models/quickstart      needs: torch, transformers
"""

import json
import pathlib
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder = pathlib.Path(sys.argv[1])
golden = json.loads((folder / "golden.json").read_text())
max_length = json.loads((folder / "config.json").read_text())["joyul"]["maxLength"]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True).eval()

worst = 0.0
for row in golden["rows"]:
    inputs = tokenizer([row["text"]], truncation=True, max_length=max_length, return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits[0].tolist()
    worst = max(worst, *(abs(ours - theirs) for ours, theirs in zip(row["logits"], logits, strict=True)))
print(f"{len(golden['rows'])} texts, largest difference of logits {worst:.1e}")
sys.exit(0 if worst < 1e-4 else 1)
