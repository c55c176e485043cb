/** Templates of graders: texts with `{{ item.reference_answer }}` and the like in them. */

/** One answer with what it is graded by. */
export interface GradedAnswer {
  /** Fields of the row. */
  readonly item: Readonly<Record<ItemField, string>>;
  /** What the model wrote. */
  readonly output: string;
}

const itemFields = ['reference_answer', 'question', 'id'] as const;

type ItemField = (typeof itemFields)[number];

const holes = /\{\{\s*(.*?)\s*\}\}/gs;
const outputText = 'sample.output_text';
const outputJson = 'sample.output_json';
/** What a template may name. */
const known: readonly string[] = [
  ...itemFields.map((field) => `item.${field}`),
  outputText,
  `${outputJson}.FIELD`,
];

const isJsonPath = (path: string): boolean => path === outputJson || path.startsWith(`${outputJson}.`);

/** What is wrong with a template; undefined where it can be filled. */
export function findTemplateProblem(
  template: string,
): { readonly message: string; readonly help: string } | undefined {
  const wrong = [...template.matchAll(holes)]
    .map(([, path = '']) => path)
    .find((path) => !known.includes(path) && !isJsonPath(path));
  if (wrong === undefined) return undefined;
  return {
    message: `The template names "${wrong}", which no row and no answer has.`,
    help: `There are ${known.join(', ')}.`,
  };
}

/** A part of an answer that is JSON; the empty text where it is none, or has no such part. */
function readJson(output: string, path: string): string {
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch {
    return '';
  }
  for (const key of path.split('.').slice(2))
    value = typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : ''; // prettier-ignore
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Fills a template in. */
export function fillTemplate(template: string, { item, output }: GradedAnswer): string {
  return template.replaceAll(holes, (hole, path: string) => {
    if (path === outputText) return output;
    if (isJsonPath(path)) return readJson(output, path);
    const field = itemFields.find((name) => path === `item.${name}`);
    return field === undefined ? hole : item[field];
  });
}
