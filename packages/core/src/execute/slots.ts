/** Capacities that running steps take from and give back. */
export class Slots {
  readonly #free: Record<string, number>;
  readonly #waiting: { readonly wanted: Readonly<Record<string, number>>; readonly resolve: () => void }[] =
    [];

  constructor(capacity: Readonly<Record<string, number>>) {
    this.#free = { ...capacity };
  }

  #fits(wanted: Readonly<Record<string, number>>): boolean {
    return Object.entries(wanted).every(([pool, amount]) => amount <= (this.#free[pool] ?? 0));
  }

  #take(wanted: Readonly<Record<string, number>>): void {
    for (const [pool, amount] of Object.entries(wanted)) this.#free[pool] = (this.#free[pool] ?? 0) - amount;
  }

  /** Waits for its turn; steps that came earlier are served first. */
  async acquire(wanted: Readonly<Record<string, number>>): Promise<() => void> {
    if (this.#waiting.length === 0 && this.#fits(wanted)) this.#take(wanted);
    else await new Promise<void>((resolve) => this.#waiting.push({ wanted, resolve }));
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      for (const [pool, amount] of Object.entries(wanted))
        this.#free[pool] = (this.#free[pool] ?? 0) + amount;
      this.#serve();
    };
  }

  #serve(): void {
    for (
      let first = this.#waiting[0];
      first !== undefined && this.#fits(first.wanted);
      first = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#take(first.wanted);
      first.resolve();
    }
  }
}
