"""Greedy decoding with a key-value cache in one process: `generate.py SPEC.json`. Writes what it measured as JSON."""

import json
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch  # noqa: E402

from windows import Windows, peak_mib  # noqa: E402


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    torch.set_num_threads(spec["threads"])
    from transformers import AutoModelForCausalLM

    dtype = torch.float32 if spec["precision"] == "float32" else torch.bfloat16
    model = AutoModelForCausalLM.from_pretrained(spec["model"], dtype=dtype, attn_implementation="sdpa")
    model.eval()
    with open(spec["batches"], encoding="utf-8") as file:
        prompts = [torch.tensor([example["input_ids"] for example in batch]) for batch in json.load(file)]
    windows, first_loss_s = None, None
    for prompt in prompts:
        windows = windows or Windows()
        with torch.inference_mode():
            output = model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                min_new_tokens=spec["newTokens"],
                max_new_tokens=spec["newTokens"],
                do_sample=False,
                pad_token_id=spec["pad"],
            )
        first_loss_s = first_loss_s or time.time() - spec["started"]
        new = output[:, prompt.shape[1] :]
        windows.end(loss=float(new[0, 0]), tokens=new.numel())
    result = {
        "iterations": windows.rows,
        "firstLossS": first_loss_s,
        "peakMiB": peak_mib(),
        "threads": torch.get_num_threads(),
        "facts": f"{torch.__version__} {torch.backends.cpu.get_cpu_capability()}",
    }
    with open(spec["out"], "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
