"""Opens the adapter of a deployed folder with Hugging Face's PEFT and compares its logits with those of golden.json.

usage: python check_adapter.py models/quickstart BASE_MODEL      needs: torch, transformers, peft
"""

import json
import os
import sys

import torch
from peft import PeftModel
from transformers import AutoConfig, AutoTokenizer
from transformers.dynamic_module_utils import get_class_from_dynamic_module

base_model = os.path.abspath(sys.argv[2]) if os.path.exists(sys.argv[2]) else sys.argv[2]
os.chdir(sys.argv[1])
config = AutoConfig.from_pretrained(".")
model_class = get_class_from_dynamic_module("modeling_joyul.JoyulForSequenceClassification", ".")
model = PeftModel.from_pretrained(model_class.from_pretrained(base_model, config=config), "adapter").eval()
tokenizer = AutoTokenizer.from_pretrained(".")

worst = 0.0
rows = json.load(open("golden.json"))["rows"]
for row in rows:
    inputs = tokenizer([row["text"]], truncation=True, max_length=config.joyul["maxLength"], return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits[0].tolist()
    worst = max(worst, *(abs(ours - theirs) for ours, theirs in zip(row["logits"], logits, strict=True)))
print(f"{len(rows)} texts, largest difference of logits {worst:.1e}")
sys.exit(0 if worst < 1e-4 else 1)
