import type { FieldNames, RowShape } from '../row.ts';

/** The fields that make a row one of the known shapes. */
const shapeFields: readonly (readonly [RowShape, readonly string[]])[] = [
  ['openai', ['messages']],
  ['sharegpt', ['conversations']],
  ['alpaca', ['instruction', 'output']],
  ['prompt-completion', ['prompt', 'completion']],
  ['tokens', ['input_ids']],
];

/** Shapes that are known and not trained on. */
const refusedFields: readonly (readonly [string, readonly string[]])[] = [
  ['a preference pair', ['chosen', 'rejected']],
  ['a preference pair', ['preferred_output', 'non_preferred_output']],
];

const titles: Readonly<Record<RowShape, string>> = {
  classification: 'labelled texts',
  text: 'texts',
  openai: 'OpenAI chat',
  sharegpt: 'ShareGPT',
  alpaca: 'Alpaca',
  'prompt-completion': 'prompt with completion',
  tokens: 'token ids',
};

/** What a shape is called in sentences. */
export const titleOf = (shape: RowShape): string => titles[shape];

/** True for shapes whose rows are conversations. */
export const isChatShape = (shape: RowShape): boolean =>
  shape === 'openai' || shape === 'sharegpt' || shape === 'alpaca' || shape === 'prompt-completion';

/** The fields that a row of a shape is read from, under the names that params give them. */
export function fieldsOf(shape: RowShape, names: FieldNames): readonly string[] {
  switch (shape) {
    case 'classification':
      return [names.text ?? 'text', names.label ?? 'label'];
    case 'text':
      return [names.text ?? 'text'];
    case 'openai':
      return [names.messages ?? 'messages'];
    case 'sharegpt':
      return [names.messages ?? 'conversations'];
    case 'prompt-completion':
      return [names.prompt ?? 'prompt', names.completion ?? 'completion'];
    default:
      return shapeFields.find(([known]) => known === shape)?.[1] ?? [];
  }
}

const listed = (items: readonly string[], word: string): string =>
  items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} ${word} ${items.at(-1) ?? ''}`;

/** The shape that params name by its fields; undefined where they name none. */
function namedShape(wanted: FieldNames): RowShape | undefined {
  if (wanted.messages !== undefined) return 'openai';
  return wanted.prompt !== undefined || wanted.completion !== undefined ? 'prompt-completion' : undefined;
}

/** What detecting a shape has to know besides the names of fields. */
export interface ShapeHints {
  readonly hasText: boolean;
  readonly hasLabel: boolean;
  /** The fields that params name. */
  readonly wanted?: FieldNames;
}

/**
 * The shape of a row with these fields, or the reason why none can be chosen.
 *
 * A row that fits two shapes is refused, since training on the wrong half would look healthy.
 */
export function detectShape(
  names: readonly string[],
  { hasText, hasLabel, wanted = {} }: ShapeHints,
): RowShape | { readonly reason: string } {
  const named = namedShape(wanted);
  if (named !== undefined) return named;
  if (wanted.text !== undefined && hasText) return hasLabel ? 'classification' : 'text';
  const fits = shapeFields
    .filter(([, fields]) => fields.every((name) => names.includes(name)))
    .map(([shape]) => shape);
  if (hasText && fits.length > 0) fits.push(hasLabel ? 'classification' : 'text');
  if (fits.length > 1) {
    const both = fits.length === 2 ? 'both ' : '';
    return {
      reason: `This row fits ${both}${listed(fits.map(titleOf), 'and')} (${fits.map((shape) => fieldsOf(shape, wanted)[0] ?? '').join(', ')}). Set format: ${listed(fits, 'or format:')}.`,
    };
  }
  const [shape] = fits;
  if (shape !== undefined) return shape;
  const refused = refusedFields.find(([, fields]) => fields.every((name) => names.includes(name)));
  if (refused !== undefined)
    return { reason: `This is ${refused[0]} (${refused[1].join(', ')}), which no step here trains on.` };
  return hasLabel ? 'classification' : 'text';
}

/** What the rows of one source were taken for. */
export interface ShapeVerdict {
  readonly shape: RowShape;
  /** The fields that say so. */
  readonly fields: readonly string[];
  readonly read: number;
  readonly fit: number;
  /** True where params, not the fields, decide. */
  readonly isGiven: boolean;
}

const count = (value: number): string => value.toLocaleString('en-US');

/** What rows were taken for, as a sentence. */
export function formatVerdict({ shape, fields, read, fit, isGiven }: ShapeVerdict): string {
  const what = listed(
    fields.map((field) => `\`${field}\``),
    'and',
  );
  const why =
    fields.length === 0 ? `${count(fit)} documents` : `${count(fit)} of ${count(read)} rows have ${what}`;
  return `Read as ${titleOf(shape)}${isGiven ? ', as format asks' : ''}: ${why}.`;
}
