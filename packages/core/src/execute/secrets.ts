import type { GraphStep } from '../graph/graph.ts';

type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

const isReference = (value: unknown): value is { readonly $secret: string } =>
  isRecord(value) && typeof value['$secret'] === 'string';

/** What a secret looks like wherever it is told. */
const mask = '***';
/** Shorter values stand in too many texts by chance. */
const leastMasked = 4;

/** Names of the secrets that a step is given. */
export function secretsOf(step: GraphStep): readonly string[] {
  const found = new Set(Object.values(step.secretEnvironment ?? {}));
  const visit = (value: unknown): void => {
    if (isReference(value)) found.add(value.$secret);
    else if (isRecord(value)) Object.values(value).forEach(visit);
  };
  visit(step.params);
  return [...found];
}

/** The values of secrets: put in when a step starts, and taken out of all that is told. */
export class Secrets {
  readonly #values: Readonly<Record<string, string>>;
  /** The longest first, so that one inside another leaves nothing behind. */
  readonly #masked: readonly string[];

  constructor(values: Readonly<Record<string, string>>) {
    this.#values = values;
    const texts = Object.values(values).filter((value) => value.length >= leastMasked);
    // Inside JSON a value may stand in its escaped form.
    const forms = texts.flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
    this.#masked = [...new Set(forms)].sort((left, right) => right.length - left.length);
  }

  /** Params with values where references stood. */
  fillIn(params: unknown): unknown {
    if (isReference(params)) return this.#values[params.$secret];
    if (Array.isArray(params)) return params.map((item) => this.fillIn(item));
    if (!isRecord(params)) return params;
    return Object.fromEntries(Object.entries(params).map(([key, value]) => [key, this.fillIn(value)]));
  }

  /** Environment variables whose values are secrets. */
  environmentOf(step: GraphStep): Readonly<Record<string, string>> {
    const names = Object.entries(step.secretEnvironment ?? {});
    return Object.fromEntries(names.map(([variable, name]) => [variable, this.#values[name] ?? '']));
  }

  /** A JSON value without any secret in its texts. */
  mask<T>(value: T): T {
    if (this.#masked.length === 0) return value;
    const text = JSON.stringify(value);
    const told = this.#masked.reduce((rest, secret) => rest.replaceAll(secret, mask), text);
    return told === text ? value : (JSON.parse(told) as T); // Only texts inside it were changed.
  }
}
