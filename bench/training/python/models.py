"""The models of the peers, with the weights that a case trains."""

import torch

lora_targets = {
    "lora_qv": ["q_proj", "v_proj"],
    "lora_all": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}


class Classifier(torch.nn.Module):
    """A BERT encoder without its pooler, the mean over real tokens, one linear layer."""

    def __init__(self, folder, classes):
        from transformers import BertModel

        super().__init__()
        self.bert = BertModel.from_pretrained(
            folder,
            add_pooling_layer=False,
            attn_implementation="sdpa",
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        self.head = torch.nn.Linear(self.bert.config.hidden_size, classes)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, input_ids, attention_mask, labels):
        states = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask[..., None].to(states.dtype)
        features = (states * mask).sum(1) / mask.sum(1)
        logits = self.head(features)
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}


def load_model(spec):
    """The model of a case; what is frozen is in bfloat16 where the precision is `bfloat16-weights`."""
    if spec["kind"].startswith("minilm"):
        return Classifier(spec["model"], spec["classes"])
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if spec["precision"] == "bfloat16-weights" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(spec["model"], dtype=dtype, attn_implementation="sdpa")
    kind = spec["kind"]
    if kind in lora_targets:
        from peft import get_peft_model

        model = get_peft_model(model, lora_config(kind))
    elif kind == "top6":
        model.requires_grad_(False)
        for part in (model.model.layers[-6:], model.model.norm):
            part.requires_grad_(True).float()
    return model


def lora_config(kind):
    from peft import LoraConfig

    return LoraConfig(
        r=8,
        lora_alpha=16,
        lora_dropout=0.0,
        target_modules=lora_targets[kind],
        bias="none",
        task_type="CAUSAL_LM",
    )
