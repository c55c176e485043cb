const bucketsSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const escape = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** Counts what a server does, in Prometheus' text format. */
export class ServerMetrics {
  readonly #requests = new Map<string, number>();
  readonly #predictions = new Map<string, number>();
  readonly #buckets = bucketsSeconds.map(() => 0);
  #promptTokens = 0;
  #newTokens = 0;
  #durationSum = 0;
  #durationCount = 0;

  /** A request was answered with a status after some seconds. */
  countRequest(route: string, status: number, seconds: number): void {
    const key = `route="${escape(route)}",code="${status}"`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    this.#durationSum += seconds;
    this.#durationCount++;
    bucketsSeconds.forEach((limit, index) => {
      if (seconds <= limit) this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
    });
  }

  /** A text was given a label. */
  countPrediction(label: string): void {
    this.#predictions.set(label, (this.#predictions.get(label) ?? 0) + 1);
  }

  /** A prompt was answered. */
  countTokens(prompt: number, made: number): void {
    this.#promptTokens += prompt;
    this.#newTokens += made;
  }

  /** The page of /metrics. */
  format(gauges: Readonly<Record<string, number>>): string {
    const lines = [
      '# TYPE request_total counter',
      ...[...this.#requests].map(([key, count]) => `request_total{${key}} ${count}`),
    ];
    lines.push('# TYPE request_duration_seconds histogram');
    bucketsSeconds.forEach((limit, index) =>
      lines.push(`request_duration_seconds_bucket{le="${limit}"} ${this.#buckets[index] ?? 0}`),
    );
    lines.push(
      `request_duration_seconds_bucket{le="+Inf"} ${this.#durationCount}`,
      `request_duration_seconds_sum ${this.#durationSum}`,
      `request_duration_seconds_count ${this.#durationCount}`,
    );
    lines.push(
      '# TYPE prediction_total counter',
      ...[...this.#predictions].map(
        ([label, count]) => `prediction_total{class="${escape(label)}"} ${count}`,
      ),
    );
    if (this.#promptTokens > 0)
      lines.push(
        '# TYPE prompt_tokens_total counter',
        `prompt_tokens_total ${this.#promptTokens}`,
        '# TYPE generated_tokens_total counter',
        `generated_tokens_total ${this.#newTokens}`,
      );
    for (const [name, value] of Object.entries(gauges))
      lines.push(`# TYPE ${name} gauge`, `${name} ${value}`);
    return `${lines.join('\n')}\n`;
  }
}
