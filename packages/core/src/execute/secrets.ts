import type { GraphStep } from '../graph/graph.ts';

type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

const isReference = (value: unknown): value is { readonly $secret: string } =>
  isRecord(value) && typeof value['$secret'] === 'string';

/** What a secret looks like wherever it is told. */
const mask = '***';
/** Shorter values stand in too many texts by chance. */
const leastMasked = 4;

/** Fields of events whose texts are the engine's own, or names: a secret may be the word `test`, as a step's name may. */
const ownFields: ReadonlySet<string> = new Set(
  'kind runId stepId end action plugin needs pipeline file joyulVersion nodeVersion process fingerprint stream type level weight port digest'.split(
    ' ',
  ),
);
/** Fields below which names mean nothing to the engine. */
const freeFields: ReadonlySet<string> = new Set(['params', 'rows']);

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

/** A text as it stands inside of JSON. */
const escapeJson = (text: string): string => JSON.stringify(text).slice(1, -1);

/** How programs write a text: as it is, in JSON, in JSON inside of JSON, in JSON of plain ASCII, in an address. */
function formsOf(text: string): readonly string[] {
  const inJson = escapeJson(text);
  const inAscii = inJson.replaceAll(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  // Half of a pair has no place in an address.
  return [
    text,
    inJson,
    inAscii,
    escapeJson(inJson),
    escapeJson(inAscii),
    encodeURIComponent(text.toWellFormed()),
  ];
}

/** The values of secrets: put in when a step starts, and taken out of all that is told. */
export class Secrets {
  readonly #values: Readonly<Record<string, string>>;
  /** The longest first, so that one inside another leaves nothing behind. */
  readonly #masked: readonly string[];

  constructor(values: Readonly<Record<string, string>>) {
    this.#values = values;
    // Output is told line by line.
    const texts = Object.values(values).flatMap((value) => [value, ...value.split(/\r?\n/)]);
    const forms = texts.filter((text) => text.trim().length >= leastMasked).flatMap(formsOf);
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

  /** An event without any secret in the texts that steps and people gave it. */
  mask<T>(event: T): T {
    return this.#masked.length === 0 ? event : (this.#maskAny(event, false) as T); // Texts stay texts, and all else stays.
  }

  #maskAny(value: unknown, isFree: boolean): unknown {
    if (typeof value === 'string')
      return this.#masked.reduce((rest, secret) => rest.replaceAll(secret, mask), value);
    if (Array.isArray(value)) return value.map((item) => this.#maskAny(item, isFree));
    if (!isRecord(value)) return value;
    const entries = Object.entries(value).map(([key, item]): readonly [string, unknown] =>
      !isFree && ownFields.has(key) ? [key, item] : [key, this.#maskAny(item, isFree || freeFields.has(key))],
    );
    return Object.fromEntries(entries);
  }
}
