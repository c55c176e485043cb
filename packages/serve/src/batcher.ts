import type { Prediction, Predictor } from '@joyul/training';

/** How requests are put together. */
export interface BatchOptions {
  /** Texts in one pass at most. */
  readonly maxBatch: number;
  /** How long the first text of a batch waits for others. */
  readonly maxWaitMs: number;
}

interface Waiting {
  readonly text: string;
  readonly resolve: (prediction: Prediction) => void;
  readonly reject: (error: unknown) => void;
}

/** Puts texts of requests that arrive together into one pass through the model. */
export class Batcher {
  readonly #predictor: Predictor;
  readonly #options: BatchOptions;
  readonly #queue: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isBusy = false;

  constructor(predictor: Predictor, options: BatchOptions) {
    this.#predictor = predictor;
    this.#options = options;
  }

  /** Texts that wait for their pass. */
  get depth(): number {
    return this.#queue.length;
  }

  predict(texts: readonly string[]): Promise<readonly Prediction[]> {
    const answers = texts.map(
      (text) => new Promise<Prediction>((resolve, reject) => this.#queue.push({ text, resolve, reject })),
    );
    this.#schedule();
    return Promise.all(answers);
  }

  #schedule(): void {
    if (this.#isBusy || this.#queue.length === 0) return;
    if (this.#queue.length >= this.#options.maxBatch) void this.#flush();
    else this.#timer ??= setTimeout(() => void this.#flush(), this.#options.maxWaitMs);
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isBusy) return;
    this.#isBusy = true;
    const batch = this.#queue.splice(0, this.#options.maxBatch);
    try {
      const predictions = await this.#predictor.predict(batch.map((item) => item.text));
      batch.forEach((item, index) => {
        const prediction = predictions[index];
        if (prediction !== undefined) item.resolve(prediction);
      });
    } catch (error) {
      for (const item of batch) item.reject(error);
    } finally {
      this.#isBusy = false;
      this.#schedule();
    }
  }
}
