/** Where weights of these first parts belong, in BERT's names and in Llama's. */
const blockOfPart: readonly (readonly [string, string])[] = [
  ['embeddings.', 'embeddings'],
  ['classifier.', 'classifier'],
  ['cls.predictions.', 'head'],
  ['model.embed_tokens.', 'embeddings'],
  ['model.norm.', 'norm'],
  ['lm_head.', 'head'],
];

/** The block that a weight belongs to, or undefined for a weight that no block uses, such as BERT's pooler. */
export function blockOf(name: string): string | undefined {
  const layer = /^(?:encoder\.layer|model\.layers)\.(\d+)\./.exec(name)?.[1];
  if (layer !== undefined) return `layer.${layer}`;
  return blockOfPart.find(([part]) => name.startsWith(part))?.[1];
}
