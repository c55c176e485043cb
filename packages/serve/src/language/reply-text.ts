import type { Tokenizer } from '@joyul/data';

/** What stands for bytes that are no whole character yet. */
const unfinished = '\uFFFD';

/** The text of tokens that come one after the other, let go as soon as nothing can change it any more. */
export class ReplyText {
  readonly #tokenizer: Tokenizer;
  readonly #stop: readonly string[];
  readonly #ids: number[] = [];
  #told = '';
  #stopped: string | undefined;

  constructor(tokenizer: Tokenizer, stop: readonly string[]) {
    this.#tokenizer = tokenizer;
    this.#stop = stop;
  }

  /** Whether one of the texts that end the reply has come. */
  get isStopped(): boolean {
    return this.#stopped !== undefined;
  }

  /** Adds a token; what can be told now. */
  add(id: number): string {
    this.#ids.push(id);
    const text = this.#tokenizer.decode(this.#ids);
    const ends = this.#stop.map((stop) => text.indexOf(stop)).filter((at) => at !== -1);
    if (ends.length > 0) this.#stopped ??= text.slice(0, Math.min(...ends));
    return this.#tell(this.#stopped ?? text.slice(0, text.length - this.#countHeld(text)));
  }

  /** What has been held back to the end. */
  finish(): string {
    return this.#tell(this.#stopped ?? this.#tokenizer.decode(this.#ids));
  }

  #tell(text: string): string {
    const more = text.slice(this.#told.length);
    if (more !== '') this.#told = text;
    return more;
  }

  /** Characters at the end that may yet become another character, or the start of what ends the reply. */
  #countHeld(text: string): number {
    let held = 0;
    while (text.at(-1 - held) === unfinished) held++;
    for (const stop of this.#stop)
      for (let length = Math.min(stop.length - 1, text.length); length > held; length--)
        if (text.endsWith(stop.slice(0, length))) {
          held = length;
          break;
        }
    return held;
  }
}
