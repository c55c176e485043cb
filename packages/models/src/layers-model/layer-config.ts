/** A JSON object whose fields are checked where they are used. */
export type Json = Readonly<Record<string, unknown>>;

/** The value as a JSON object, or an empty one. */
export const asJson = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {}; // Any object may be looked into.

/** A layer's settings, as Keras and TensorFlow.js write them. */
export class LayerConfig {
  readonly #json: Json;

  constructor(json: Json) {
    this.#json = json;
  }

  /** The same settings with one changed. */
  with(key: string, value: unknown): LayerConfig {
    return new LayerConfig({ ...this.#json, [key]: value });
  }

  /** A setting as it is; undefined where it is absent or null. */
  get(key: string): unknown {
    return this.#json[key] ?? undefined;
  }

  number(key: string, fallback: number): number {
    const value = this.get(key);
    return typeof value === 'number' ? value : fallback;
  }

  /** A switch. */
  is(key: string, fallback: boolean): boolean {
    const value = this.get(key);
    return typeof value === 'boolean' ? value : fallback;
  }

  text(key: string, fallback: string): string {
    const value = this.get(key);
    return typeof value === 'string' ? value : fallback;
  }

  /** Two numbers, or one that stands for both. */
  pair(key: string, fallback: readonly [number, number]): readonly [number, number] {
    const value = this.get(key);
    if (typeof value === 'number') return [value, value];
    if (!Array.isArray(value)) return fallback;
    const [down = fallback[0], right = fallback[1]] = value.map(Number);
    return [down, right];
  }

  /** The name of an activation; Keras 3 writes some as objects. */
  get activation(): string {
    const value = this.get('activation');
    const name = typeof value === 'object' ? asJson(value)['config'] : value;
    return typeof name === 'string' ? name : 'linear';
  }
}
