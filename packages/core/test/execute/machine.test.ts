import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AttemptFailure } from '../../src/execute/attempt-failure.ts';
import type { Effect, MachineStep, Message, Outcome, Verdict } from '../../src/execute/machine.ts';
import { Machine } from '../../src/execute/machine.ts';
import { Driver, makeStep } from './support.ts';

const failure = (code = 'EXIT_1', exitCode?: number): AttemptFailure =>
  new AttemptFailure({ code, message: 'It failed.', ...(exitCode === undefined ? {} : { exitCode }) });

const gpuPools = { capacity: { gpu: 2, cpu: 4 }, devices: { gpu: ['0', '1'] } };

describe('slots', () => {
  test('a thousand hits are settled while the only slot is taken', () => {
    const hits = Array.from({ length: 1000 }, (_, index) => makeStep(`hit${index}`));
    const driver = new Driver([makeStep('slow'), ...hits], { jobs: 1 });
    for (const effect of driver.send({ kind: 'begin' }))
      driver.send({
        kind: 'inspected',
        stepId: effect.stepId,
        verdict: effect.stepId === 'slow' ? 'stale' : 'reused',
      });
    expect(driver.started).toEqual(['slow']);
    expect(driver.ends).toEqual(hits.map(({ id }) => `${id} reused`));
  });

  test('a hit whose files are put back waits for other runs without a slot', () => {
    const driver = new Driver([makeStep('displaced'), makeStep('other')], { jobs: 1 });
    driver.send({ kind: 'begin' });
    driver.send({ kind: 'inspected', stepId: 'displaced', verdict: 'displaced' });
    driver.send({ kind: 'inspected', stepId: 'other', verdict: 'stale' });
    expect(driver.started).toEqual(['other']);
    driver.send({ kind: 'reserved', stepId: 'displaced', verdict: 'reused' });
    expect(driver.ends).toEqual(['displaced reused']);
  });

  test('what another run computes is waited for without a slot, and is no attempt', () => {
    const driver = new Driver([makeStep('held'), makeStep('other')], { jobs: 1 });
    driver.beginStale();
    driver.finish('held', 'held');
    expect(driver.started).toEqual(['held', 'other']);
    driver.finish('other');
    driver.send({ kind: 'reserved', stepId: 'held', verdict: 'stale' });
    expect(driver.effects.findLast(({ kind }) => kind === 'attempt')).toMatchObject({
      stepId: 'held',
      attempt: 1,
    });
  });

  test('a retry that waits holds none', () => {
    const retry = { attempts: 2, delayMs: 1000, factor: 2, maxDelayMs: 1000, jitter: 0 };
    const driver = new Driver([makeStep('flaky', { retry }), makeStep('other')], { jobs: 1 });
    driver.beginStale();
    driver.finish('flaky', failure());
    expect(driver.started).toEqual(['flaky', 'other']);
    driver.send({ kind: 'retry-due', stepId: 'flaky' });
    expect(driver.started).toEqual(['flaky', 'other']);
    driver.finish('other');
    expect(driver.started).toEqual(['flaky', 'other', 'flaky']);
  });

  test('a busy gpu holds up nobody who does not want it', () => {
    const gpu = { resources: { gpu: 2 } };
    const steps = [makeStep('a', gpu), makeStep('b', gpu), makeStep('c', { resources: { cpu: 1 } })];
    const driver = new Driver(steps, { jobs: 3, pools: gpuPools });
    driver.beginStale();
    expect(driver.started).toEqual(['a', 'c']);
    driver.finish('a');
    expect(driver.started).toEqual(['a', 'c', 'b']);
  });

  test('each step that runs has devices of its own, which the next one gets', () => {
    const gpu = { resources: { gpu: 1 } };
    const steps = ['a', 'b', 'c'].map((id) => makeStep(id, gpu));
    const driver = new Driver(steps, { jobs: 3, pools: gpuPools });
    driver.beginStale();
    expect(driver.started).toEqual(['a', 'b']);
    driver.finish('b');
    expect(['a', 'b', 'c'].map((id) => driver.devicesOf(id, 'gpu'))).toEqual([['0'], ['1'], ['1']]);
  });

  test('devices of a failed attempt are lent again', () => {
    const gpu = { resources: { gpu: 2 } };
    const driver = new Driver([makeStep('a', gpu), makeStep('b', gpu)], {
      pools: gpuPools,
      keepGoing: true,
    });
    driver.beginStale();
    driver.finish('a', failure());
    expect([...driver.devicesOf('b', 'gpu')].sort()).toEqual(['0', '1']);
  });
});

describe('failures', () => {
  const fork = [
    makeStep('bad'),
    makeStep('needy', { needs: ['bad'] }),
    makeStep('last', { needs: ['needy'] }),
    makeStep('free'),
    makeStep('after', { needs: ['free'] }),
  ];

  test('what needs a failed step is blocked, what runs may end, and nothing new begins', () => {
    const driver = new Driver(fork);
    driver.beginStale();
    driver.finish('bad', failure());
    expect(driver.ends).toEqual(['bad failed', 'needy blocked', 'last blocked']);
    driver.finish('free');
    expect(driver.ends.slice(3)).toEqual(['free succeeded', 'after blocked']);
    expect(driver.reasons).toContain('last: needy did not succeed');
    expect(driver.reasons).toContain('after: an earlier step failed');
  });

  test('with keepGoing what does not need it goes on', () => {
    const driver = new Driver(fork, { keepGoing: true });
    driver.beginStale();
    driver.finish('bad', failure());
    driver.finish('free');
    driver.finish('after');
    expect(driver.ends.slice(3)).toEqual(['free succeeded', 'after succeeded']);
    expect(driver.machine.isDone).toBe(true);
  });

  test('steps that wait for a slot when another fails do not begin', () => {
    const driver = new Driver([makeStep('bad'), makeStep('queued')], { jobs: 1 });
    driver.beginStale();
    driver.finish('bad', failure());
    expect(driver.started).toEqual(['bad']);
    expect(driver.ends).toEqual(['bad failed', 'queued blocked']);
  });

  test('a failed look at the store is a failure of the step, and takes no slot', () => {
    const driver = new Driver([makeStep('a')]);
    driver.send({ kind: 'begin' });
    driver.send({ kind: 'inspected', stepId: 'a', verdict: failure('FILE_MISSING') });
    expect(driver.ends).toEqual(['a failed']);
    expect(driver.started).toEqual([]);
  });

  test('a step whose input is neither part of the run nor stored fails, with what to type', () => {
    const driver = new Driver([makeStep('b', { lacks: 'a' })]);
    driver.send({ kind: 'begin' });
    expect(driver.effects).toMatchObject([
      { kind: 'end', end: 'failed', failure: { code: 'INPUT_UNKNOWN', help: expect.any(String) as string } },
    ]);
  });
});

test('a step that is left out leaves out what needs it, whatever else that needs', () => {
  const steps = [
    makeStep('off', { isEnabled: false }),
    makeStep('on'),
    makeStep('both', { needs: ['off', 'on'] }),
    makeStep('end', { needs: ['both'] }),
  ];
  const driver = new Driver(steps);
  driver.beginStale();
  driver.finish('on');
  expect(driver.ends).toEqual(['off disabled', 'on succeeded', 'both disabled', 'end disabled']);
  expect(driver.reasons).toContain('end: both is left out');
});

describe('cancelling', () => {
  const steps = [
    makeStep('runs'),
    makeStep('queued'),
    makeStep('waits', { needs: ['runs'] }),
    makeStep('off', { needs: ['runs'], isEnabled: false }),
  ];

  test('stops what runs, and ends all the rest at once', () => {
    const driver = new Driver(steps, { jobs: 1 });
    driver.beginStale();
    driver.send({ kind: 'cancel' });
    expect(driver.stopped).toEqual(['runs']);
    expect(driver.ends).toEqual(['queued cancelled', 'waits cancelled', 'off cancelled']);
    expect(driver.machine.isDone).toBe(false);
  });

  test.each([
    ['succeeded', 'runs succeeded'],
    ['reused', 'runs reused'],
    ['held', 'runs cancelled'],
    [failure(), 'runs cancelled'],
    ['checkpointed', 'runs cancelled'],
  ] as const)('a step that then answers %s ends as %s', (outcome, end) => {
    const driver = new Driver(steps, { jobs: 1 });
    driver.beginStale();
    driver.send({ kind: 'cancel' });
    driver.finish('runs', outcome);
    expect(driver.ends.at(-1)).toBe(end);
    expect(driver.machine.isDone).toBe(true);
    expect(driver.machine.isCheckpointed).toBe(outcome === 'checkpointed');
    expect(driver.started).toEqual(['runs']);
  });

  test('twice is once', () => {
    const driver = new Driver(steps, { jobs: 1 });
    driver.beginStale();
    driver.send({ kind: 'cancel' });
    expect(driver.send({ kind: 'cancel' })).toEqual([]);
  });

  test('what a step answers after its end changes nothing', () => {
    const retry = { attempts: 2, delayMs: 9, factor: 2, maxDelayMs: 9, jitter: 0 };
    const driver = new Driver([makeStep('flaky', { retry }), makeStep('after', { needs: ['flaky'] })]);
    driver.beginStale();
    driver.finish('flaky', failure());
    driver.send({ kind: 'cancel' });
    expect(driver.ends).toEqual(['flaky cancelled', 'after cancelled']);
    for (const late of [
      { kind: 'retry-due', stepId: 'flaky' },
      { kind: 'attempt-ended', stepId: 'flaky', outcome: 'succeeded' },
      { kind: 'reserved', stepId: 'flaky', verdict: 'stale' },
      { kind: 'inspected', stepId: 'after', verdict: 'stale' },
    ] satisfies readonly Message[])
      expect(driver.send(late)).toEqual([]);
  });

  test('a wait for another run that was given up ends the step', () => {
    const driver = new Driver([makeStep('a')]);
    driver.beginStale();
    driver.finish('a', 'held');
    driver.send({ kind: 'cancel' });
    expect(driver.ends).toEqual([]);
    driver.send({ kind: 'reserved', stepId: 'a', verdict: 'cancelled' });
    expect(driver.ends).toEqual(['a cancelled']);
  });
});

describe('a checkpoint', () => {
  const steps = [makeStep('a'), makeStep('needy', { needs: ['a'] }), makeStep('free'), makeStep('late')];

  test('that a step leaves by itself ends it, and nothing new begins', () => {
    const driver = new Driver(steps, { jobs: 2 });
    driver.beginStale();
    driver.finish('a', 'checkpointed');
    expect(driver.ends).toEqual(['a cancelled', 'needy cancelled', 'late blocked']);
    driver.finish('free');
    expect(driver.machine.isCheckpointed).toBe(true);
    expect(driver.machine.isDone).toBe(true);
  });

  test('is never tried again in the same run', () => {
    const retry = { attempts: 5, delayMs: 0, factor: 1, maxDelayMs: 0, jitter: 0 };
    const driver = new Driver([makeStep('a', { retry })]);
    driver.beginStale();
    driver.finish('a', 'checkpointed');
    expect(driver.started).toEqual(['a']);
    expect(driver.reasons).toEqual(['a: it stopped at a checkpoint; the next run goes on from there']);
  });
});

describe('retries', () => {
  const policy = { attempts: 6, delayMs: 100, factor: 3, maxDelayMs: 2000, jitter: 0 };

  /** Fails every attempt; gives the delays. */
  function delaysOf(retry: MachineStep['retry'], random = (): number => 0): readonly number[] {
    const driver = new Driver([makeStep('a', { retry })], { random });
    driver.beginStale();
    while (!driver.machine.isDone) {
      driver.finish('a', failure());
      driver.send({ kind: 'retry-due', stepId: 'a' });
    }
    expect(driver.started).toHaveLength(retry.attempts);
    return driver.retries.map(({ delayMs }) => delayMs);
  }

  test('the n-th wait is delay × factor^(n-1), and at most max_delay', () => {
    expect(delaysOf(policy)).toEqual([100, 300, 900, 2000, 2000]);
  });

  test.each([
    [0, [100, 300, 900]],
    [0.25, [87.5, 262.5, 787.5]],
    [1, [50, 150, 450]],
  ] as const)('jitter takes away up to its share: a draw of %d gives %j', (draw, delays) => {
    expect(delaysOf({ ...policy, attempts: 4, jitter: 0.5 }, () => draw)).toEqual(delays);
  });

  test('no wait is ever anything but a number of milliseconds from 0', () => {
    for (const delay of delaysOf({ ...policy, attempts: 3000, delayMs: 0, factor: 1e6, jitter: 1 }))
      expect(delay).toBe(0);
  });

  test.each([
    [undefined, failure('TIMEOUT'), true],
    [['TIMEOUT'], failure('TIMEOUT'), true],
    [['TIMEOUT'], failure('EXIT_7', 7), false],
    [[7], failure('EXIT_7', 7), true],
    [['EXIT_7'], failure('EXIT_7', 7), true],
    [[8, 'TIMEOUT'], failure('EXIT_7', 7), false],
    [[], failure(), false],
    [['7'], failure('EXIT_7', 7), false],
  ] as const)('on: %j, failure %s: tried again is %s', (on, failed, isRetried) => {
    const retry = { ...policy, attempts: 2, ...(on === undefined ? {} : { on }) };
    const driver = new Driver([makeStep('a', { retry })]);
    driver.beginStale();
    driver.finish('a', failed);
    expect(driver.retries).toHaveLength(isRetried ? 1 : 0);
    expect(driver.ends).toEqual(isRetried ? [] : ['a failed']);
  });

  test('a gate is never judged again, even where its code is named', () => {
    const driver = new Driver([makeStep('a', { retry: { ...policy, on: ['GATE'] } })]);
    driver.beginStale();
    driver.finish('a', failure('GATE'));
    expect(driver.ends).toEqual(['a failed']);
  });

  test('a step that waits for its next attempt is tried again after another one failed', () => {
    const driver = new Driver([makeStep('flaky', { retry: policy }), makeStep('bad')]);
    driver.beginStale();
    driver.finish('flaky', failure());
    driver.finish('bad', failure());
    driver.send({ kind: 'retry-due', stepId: 'flaky' });
    driver.finish('flaky');
    expect(driver.ends).toEqual(['bad failed', 'flaky succeeded']);
  });
});

describe('ten thousand steps', () => {
  const count = 10_000;

  /** Milliseconds that a machine takes for all of a graph, answering each effect at once and never inside another. */
  function settle(steps: readonly MachineStep[], verdict: 'reused' | 'stale'): number {
    const startMs = performance.now();
    const driver = new Machine({
      steps,
      pools: { capacity: { cpu: 4 }, devices: {} },
      jobs: 4,
      keepGoing: false,
      random: () => 0,
    });
    const messages: Message[] = [{ kind: 'begin' }];
    let ended = 0;
    for (const message of messages)
      for (const { kind, stepId } of driver.on(message)) {
        if (kind === 'inspect') messages.push({ kind: 'inspected', stepId, verdict });
        if (kind === 'attempt') messages.push({ kind: 'attempt-ended', stepId, outcome: 'succeeded' });
        if (kind === 'end') ended++;
      }
    expect([driver.isDone, ended]).toEqual([true, steps.length]);
    return performance.now() - startMs;
  }

  const wide = Array.from({ length: count }, (_, index) => makeStep(`s${index}`, { resources: { cpu: 1 } }));
  const chain = Array.from({ length: count }, (_, index) =>
    makeStep(`s${index}`, { needs: index === 0 ? [] : [`s${index - 1}`] }),
  );
  const fan = [...wide.slice(1), makeStep('join', { needs: wide.slice(1).map(({ id }) => id) })];

  test.each([
    ['side by side', wide],
    ['in a chain', chain],
    ['joined in one', fan],
  ])('%s are settled in linear time and without a deep stack', (_, steps) => {
    // Quadratic work on 10,000 steps takes many times as long.
    expect(settle(steps, 'reused')).toBeLessThan(2000);
    expect(settle(steps, 'stale')).toBeLessThan(2000);
  });

  test.each([
    ['left out', { isEnabled: false } as const],
    ['failed', { lacks: 'x' }],
  ])('in a chain whose first is %s all end at once, without a deep stack', (_, change) => {
    const [first, ...rest] = chain;
    const driver = new Driver([{ ...(first ?? makeStep('s0')), ...change }, ...rest]);
    driver.send({ kind: 'begin' });
    expect(driver.ends).toHaveLength(count);
    expect(driver.machine.isDone).toBe(true);
  });

  test('cancelled before any has begun all end', () => {
    const driver = new Driver(chain);
    driver.send({ kind: 'begin' });
    driver.send({ kind: 'cancel' });
    driver.send({ kind: 'inspected', stepId: 's0', verdict: 'stale' });
    expect(driver.machine.isDone).toBe(true);
  });
});

/** Answers a machine at random, in any order, and says what must never be. */
class RandomWorld {
  readonly #machine: Machine;
  readonly #steps: ReadonlyMap<string, MachineStep>;
  readonly #pools: Readonly<Record<string, number>>;
  readonly #pending: Effect[] = [];
  readonly #running = new Map<string, Extract<Effect, { kind: 'attempt' }>>();
  readonly #ends = new Map<string, string>();
  readonly #draw: () => number;

  constructor(parts: {
    readonly machine: Machine;
    readonly steps: readonly MachineStep[];
    readonly pools: Readonly<Record<string, number>>;
    readonly draw: () => number;
  }) {
    this.#machine = parts.machine;
    this.#steps = new Map(parts.steps.map((step) => [step.id, step]));
    this.#pools = parts.pools;
    this.#draw = parts.draw;
  }

  /** Lets all happen; `cancelAt` counts messages. */
  run(cancelAt: number): ReadonlyMap<string, string> {
    this.#send({ kind: 'begin' });
    for (let count = 0; this.#pending.length > 0; count++) {
      if (count === cancelAt) this.#send({ kind: 'cancel' });
      const [effect] = this.#pending.splice(Math.floor(this.#draw() * this.#pending.length), 1);
      if (effect !== undefined) this.#answer(effect);
    }
    if (!this.#machine.isDone) throw new Error('nothing happens any more, and it is not done');
    return this.#ends;
  }

  #pick<T>(...items: readonly T[]): T {
    const item = items[Math.floor(this.#draw() * items.length)];
    if (item === undefined) throw new Error('Nothing to pick from.');
    return item;
  }

  #answer({ kind, stepId }: Effect): void {
    if (kind === 'inspect')
      this.#send({
        kind: 'inspected',
        stepId,
        verdict: this.#pick<Verdict>('reused', 'displaced', 'stale', 'stale', failure('FILE_MISSING')),
      });
    else if (kind === 'reserve')
      this.#send({
        kind: 'reserved',
        stepId,
        verdict: this.#pick<Verdict | 'cancelled'>('reused', 'stale', 'stale', 'cancelled'),
      });
    else if (kind === 'retry') this.#send({ kind: 'retry-due', stepId });
    else if (kind === 'attempt') {
      this.#running.delete(stepId);
      const outcome = this.#pick<Outcome>('succeeded', 'succeeded', 'succeeded', 'held', 'reused', failure());
      this.#send({ kind: 'attempt-ended', stepId, outcome: this.#draw() < 0.02 ? 'checkpointed' : outcome });
    }
  }

  #send(message: Message): void {
    for (const effect of this.#machine.on(message)) {
      if (effect.kind === 'end') this.#onEnd(effect);
      else if (effect.kind !== 'stop') this.#pending.push(effect);
      if (effect.kind === 'attempt') this.#onAttempt(effect);
    }
  }

  #onEnd({ stepId, end }: Extract<Effect, { kind: 'end' }>): void {
    if (this.#ends.has(stepId)) throw new Error(`${stepId} ended twice`);
    this.#ends.set(stepId, end);
  }

  #onAttempt(effect: Extract<Effect, { kind: 'attempt' }>): void {
    const { stepId } = effect;
    if (this.#running.has(stepId)) throw new Error(`${stepId} runs twice`);
    if (this.#ends.has(stepId)) throw new Error(`${stepId} runs after its end`);
    for (const need of this.#steps.get(stepId)?.needs ?? [])
      if (!['succeeded', 'reused'].includes(this.#ends.get(need) ?? ''))
        throw new Error(`${stepId} runs before ${need} has succeeded`);
    this.#running.set(stepId, effect);
    const running = [...this.#running.values()];
    for (const [pool, capacity] of Object.entries(this.#pools)) {
      const taken = running.reduce((sum, { grant }) => sum + (grant.amounts[pool] ?? 0), 0);
      if (taken > capacity) throw new Error(`${taken} of ${capacity} ${pool} are taken`);
    }
    const lent = running.flatMap(({ grant }) => grant.devices['gpu'] ?? []);
    if (new Set(lent).size < lent.length) throw new Error('a device is lent twice');
  }
}

const stepSetting = fc.record({
  needs: fc.array(fc.nat(), { maxLength: 3 }),
  isEnabled: fc.nat(20).map((value) => value > 0),
  resources: fc.record({ cpu: fc.nat(3), gpu: fc.nat(2) }),
  attempts: fc.integer({ min: 1, max: 3 }),
});

/** A graph whose steps need earlier ones only. */
const graph = fc.array(stepSetting, { minLength: 1, maxLength: 40 }).map((settings) =>
  settings.map(({ needs, isEnabled, resources, attempts }, index) =>
    makeStep(`s${index}`, {
      isEnabled,
      resources,
      needs: index === 0 ? [] : [...new Set(needs.map((need) => `s${need % index}`))].sort(),
      retry: { attempts, delayMs: 1, factor: 2, maxDelayMs: 10, jitter: 0.5 },
    }),
  ),
);

const runSettings = fc.record({
  steps: graph,
  jobs: fc.integer({ min: 1, max: 4 }),
  keepGoing: fc.boolean(),
  cancelAt: fc.nat(200),
  seed: fc.nat(2 ** 30),
});

/** Draws that a number decides. */
function makeDraw(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

test('whatever the graph and the answers: each step ends once, after its needs, and slots never run over', () => {
  const property = fc.property(runSettings, ({ steps, jobs, keepGoing, cancelAt, seed }) => {
    const draw = makeDraw(seed);
    const pools = { cpu: 3, gpu: 2 };
    const machine = new Machine({
      steps,
      pools: { capacity: pools, devices: { gpu: ['x', 'y'] } },
      jobs,
      keepGoing,
      random: draw,
    });
    const ends = new RandomWorld({ machine, steps, pools: { ...pools, '(jobs)': jobs }, draw }).run(cancelAt);
    expect(ends.size).toBe(steps.length);
  });
  fc.assert(property, { numRuns: 500 });
});

test('with keepGoing and no failures every step that is not left out succeeds, so that all slots came back', () => {
  const property = fc.property(graph, fc.nat(2 ** 30), (steps, seed) => {
    const machine = new Machine({
      steps,
      pools: { capacity: { cpu: 3, gpu: 2 }, devices: { gpu: ['x', 'y'] } },
      jobs: 2,
      keepGoing: true,
      random: () => 0,
    });
    const draw = makeDraw(seed);
    const pending: Message[] = [{ kind: 'begin' }];
    const ends: string[] = [];
    while (pending.length > 0) {
      const [message] = pending.splice(Math.floor(draw() * pending.length), 1);
      if (message === undefined) break;
      for (const effect of machine.on(message)) {
        const { stepId } = effect;
        if (effect.kind === 'inspect') pending.push({ kind: 'inspected', stepId, verdict: 'stale' });
        if (effect.kind === 'attempt') pending.push({ kind: 'attempt-ended', stepId, outcome: 'succeeded' });
        if (effect.kind === 'end') ends.push(effect.end);
      }
    }
    expect(ends).toHaveLength(steps.length);
    expect(ends.filter((end) => end !== 'succeeded' && end !== 'disabled')).toEqual([]);
  });
  fc.assert(property);
});
