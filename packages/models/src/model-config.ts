/** Problems that make a model's description unusable, each a sentence. */
export class ModelConfigError extends Error {
  readonly problems: readonly string[];

  /** `source` is the file that describes the model. */
  constructor(problems: readonly string[], source = 'config.json') {
    super(`${source} does not describe a model that can be tuned here: ${problems.join(' ')}`);
    this.name = 'ModelConfigError';
    this.problems = problems;
  }
}

/** Reads fields of a `config.json`, and collects what is wrong with them, so that all of it is told at once. */
export class ConfigReader {
  readonly problems: string[] = [];
  readonly #json: Readonly<Record<string, unknown>>;

  constructor(json: Readonly<Record<string, unknown>>) {
    this.#json = json;
  }

  /** A positive number; null counts as absent, and absent without a fallback is a problem. */
  number(key: string, fallback?: number): number {
    const value = this.#json[key] ?? fallback;
    if (typeof value === 'number' && value > 0) return value;
    this.problems.push(`"${key}" must be a positive number, but is ${JSON.stringify(value)}.`);
    return 1;
  }

  /** Refuses a field with another value than these; `undefined` among them lets it be absent. */
  mustBe(key: string, allowed: readonly unknown[]): void {
    const value = this.#json[key];
    if (allowed.includes(value)) return;
    const names = allowed.filter((item) => item !== undefined).map((item) => JSON.stringify(item));
    this.problems.push(
      `"${key}" is ${JSON.stringify(value)}; only ${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} supported.`,
    );
  }

  /** Throws when anything was wrong. */
  finish(source?: string): void {
    if (this.problems.length > 0) throw new ModelConfigError(this.problems, source);
  }
}
