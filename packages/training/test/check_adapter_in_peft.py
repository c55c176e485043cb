"""Opens an adapter that was trained here with Hugging Face's PEFT, and compares logits.

    JOYUL_ADAPTER_OUT=OUT npm run exec -- vitest run --config packages/tooling/vitest.config.ts \\
        packages/training/test/smollm2-parity.test.ts -t PEFT
    python check_adapter_in_peft.py OUT BASE [REFERENCE]

OUT holds `adapter`, `prompt.json` and `logits.f32`; BASE is the base model's folder; REFERENCE an adapter that PEFT
trained on the same batches. Needs torch, transformers and peft.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

out, base = Path(sys.argv[1]), sys.argv[2]
ids = torch.tensor([json.loads((out / "prompt.json").read_text())])


def logits_of(adapter):
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    model = PeftModel.from_pretrained(model, adapter).eval()
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]


opened = logits_of(out / "adapter")
ours = torch.from_numpy(np.fromfile(out / "logits.f32", dtype=np.float32)).view_as(opened)
print(f"logits {tuple(opened.shape)}, the largest is {opened.abs().max():.3f}")


def compare(name, expected, bound):
    difference = (opened - expected).abs().max().item()
    agree = (opened.argmax(-1) == expected.argmax(-1)).float().mean().item()
    print(f"{name}: they differ by at most {difference:.1e}; the likeliest token is the same in {agree:.0%}")
    assert difference < bound


compare("our adapter in PEFT and here", ours, 1e-3)
if len(sys.argv) > 3:
    compare("our adapter and PEFT's, both in PEFT", logits_of(sys.argv[3]), 2e-2)
