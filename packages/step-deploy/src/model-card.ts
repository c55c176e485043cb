import { formatP, percent } from '@joyul/metrics';
import type { AdapterSpec } from '@joyul/models';

/** What a model card tells; every value comes from the run. */
export interface CardContent {
  readonly name: string;
  readonly baseModel: string;
  readonly labels: readonly string[];
  readonly source: string;
  readonly splits: Readonly<Record<string, number>>;
  readonly method: string;
  readonly isFineTuning: boolean;
  readonly blocks: readonly string[];
  /** For `lora`. */
  readonly adapters?: AdapterSpec;
  readonly strategyReason: string;
  readonly trainedShare: number;
  readonly maxLength: number;
  readonly pooling: string;
  /** Absent when the model was not tested. */
  readonly test?: {
    readonly accuracy: number;
    readonly accuracyInterval: { readonly low: number; readonly high: number };
    readonly macroF1: number;
    readonly count: number;
    readonly verdict: string;
    readonly comparisons: readonly {
      readonly name: string;
      readonly metrics: { readonly accuracy: number };
      readonly pValue: number;
    }[];
  };
}

/** A text as a YAML string. */
const yaml = (text: string): string => JSON.stringify(text);

function formatIndex({ name, source, test }: CardContent): readonly string[] {
  if (test === undefined) return [];
  return [
    'model-index:',
    `  - name: ${yaml(name)}`,
    '    results:',
    '      - task: { type: text-classification }',
    `        dataset: { name: ${yaml(source)}, type: ${yaml(source)}, split: test }`,
    '        metrics:',
    `          - { type: accuracy, value: ${test.accuracy.toFixed(4)} }`,
    `          - { type: f1, value: ${test.macroF1.toFixed(4)}, name: macro F1 }`,
  ];
}

function formatTest({ test }: CardContent): readonly string[] {
  if (test === undefined) return ['This model was not tested on rows that training never saw.'];
  const { low, high } = test.accuracyInterval;
  return [
    `Accuracy ${percent(test.accuracy)} (95 %: ${percent(low)} – ${percent(high)}) on ${test.count} test rows, macro F1 ${test.macroF1.toFixed(3)}.`,
    '',
    test.verdict,
    '',
    '| beside it, on the same rows | accuracy | p |',
    '| --- | --- | --- |',
    ...test.comparisons.map(
      (item) => `| ${item.name} | ${percent(item.metrics.accuracy)} | ${formatP(item.pValue)} |`,
    ),
  ];
}

/** How Hugging Face's library opens the folder. */
function formatUsage(maxLength: number, pooling: string): readonly string[] {
  return [
    '## How to use it',
    '',
    '```python',
    'from transformers import AutoModelForSequenceClassification, AutoTokenizer',
    '',
    'tokenizer = AutoTokenizer.from_pretrained(".")',
    'model = AutoModelForSequenceClassification.from_pretrained(".", trust_remote_code=True)',
    `inputs = tokenizer(["a text"], truncation=True, max_length=${maxLength}, padding=True, return_tensors="pt")`,
    'print(model(**inputs).logits)',
    '```',
    '',
    `\`trust_remote_code\` is needed because the head averages all tokens (${pooling} pooling), which transformers' own BERT class does not; \`modeling_joyul.py\` beside this file is all there is to trust. sentence-transformers opens the folder without it and gives the same logits.`,
    '',
  ];
}

/** How the model came to be, in a sentence. */
function formatMaking(content: CardContent): string {
  const { baseModel, method, isFineTuning, blocks, adapters, trainedShare, strategyReason } = content;
  if (!isFineTuning)
    return `A new head on the frozen features of ${baseModel}. No pretrained weight was changed: this is feature extraction, not fine-tuning.`;
  const share = `${percent(trainedShare)} of all weights, because ${strategyReason}`;
  if (adapters === undefined)
    return `Fine-tuned (${method}) from ${baseModel}: ${blocks.join(', ')} and a new head, ${share}.`;
  return `Fine-tuned (${adapters.variant}, rank ${adapters.rank}) from ${baseModel}: low-rank adapters beside its frozen weights and a new head, ${share}. The adapters are merged into the weights.`;
}

/** The model card, as Hugging Face's hub reads it. */
export function formatModelCard(content: CardContent): string {
  const { name, baseModel, labels, source, splits, maxLength, pooling } = content;
  const rows = Object.entries(splits)
    .map(([split, count]) => `${split} ${count}`)
    .join(', ');
  const lines = [
    '---',
    'library_name: transformers',
    'pipeline_tag: text-classification',
    `base_model: ${yaml(baseModel)}`,
    ...formatIndex(content),
    '---',
    '',
    `# ${name}`,
    '',
    `Sorts texts into ${labels.length} classes: ${labels.join(', ')}.`,
    '',
    '## How it was made',
    '',
    formatMaking(content),
    '',
    `Data: ${source} (${rows} rows).`,
    '',
    '## How good it is',
    '',
    ...formatTest(content),
    '',
    ...formatUsage(maxLength, pooling),
    '## Limits',
    '',
    `It knows the classes above and nothing else: any other text gets one of them too. It reads the first ${maxLength} tokens. It was measured on rows like its training data only.`,
    '',
  ];
  return lines.join('\n');
}
