/** Something that needs other things of its kind. */
export interface Orderable {
  readonly id: string;
  readonly needs: readonly string[];
}

/** Steps in an order that works, and the circles that have none. */
export interface Ordered<Step extends Orderable> {
  /** Each after all that it needs; otherwise as declared. Complete only without cycles. */
  readonly sorted: readonly Step[];
  /** Each begins with the step that was declared first, and every step needs the next one. */
  readonly cycles: readonly (readonly Step[])[];
}

/**
 * Orders steps so that each comes after what it needs.
 *
 * The declared order stays as far as it can: a step moves forward only for one that needs it. A depth-first walk
 * with its own stack, so that a chain of any length can be ordered, in time linear in steps and edges.
 */
export function orderSteps<Step extends Orderable>(steps: readonly Step[]): Ordered<Step> {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const sorted: Step[] = [];
  const cycles: Step[][] = [];
  const state = new Map<string, 'open' | 'done'>();
  for (const start of steps) {
    if (state.has(start.id)) continue;
    const path: { readonly step: Step; next: number }[] = [{ step: start, next: 0 }];
    state.set(start.id, 'open');
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const need = top.step.needs[top.next++];
      if (need === undefined) {
        state.set(top.step.id, 'done');
        sorted.push(top.step);
        path.pop();
        continue;
      }
      const step = byId.get(need);
      if (step === undefined) continue;
      const known = state.get(need);
      if (known === 'open') {
        const from = path.findIndex((entry) => entry.step === step);
        cycles.push(path.slice(from).map((entry) => entry.step));
      } else if (known === undefined) {
        state.set(need, 'open');
        path.push({ step, next: 0 });
      }
    }
  }
  return { sorted, cycles: separate(cycles) };
}

/** Circles that share a step are mended together: one of them is told. */
function separate<Step extends Orderable>(
  cycles: readonly (readonly Step[])[],
): readonly (readonly Step[])[] {
  const told = new Set<string>();
  return cycles.filter((cycle) => {
    const isNew = cycle.every((step) => !told.has(step.id));
    for (const step of cycle) told.add(step.id);
    return isNew;
  });
}
