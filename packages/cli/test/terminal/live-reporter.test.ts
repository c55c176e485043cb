import { stripVTControlCharacters } from 'node:util';
import type { EventBody } from '@joyul/core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LiveReporter } from '../../src/terminal/live-reporter.ts';
import { fitMiddle } from '../../src/terminal/style.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  vi.stubEnv('NO_COLOR', '1');
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

/** A terminal that keeps what is on it: lines, the cursor going up, and clearing to the end of the line or screen. */
class Screen {
  readonly isTTY = true;
  columns = 60;
  rows = 24;
  lines: string[] = [];

  write(text: string): boolean {
    const up = /^\x1b\[(\d+)A\r/.exec(text)?.[1] ?? '0';
    this.lines.length = Math.max(0, this.lines.length - Number(up));
    const plain = stripVTControlCharacters(text.slice(text.indexOf('\r') + 1));
    // Longer lines than the terminal is wide go on below.
    for (const line of plain.split('\n').slice(0, -1))
      this.lines.push(...(line === '' ? [''] : (line.match(new RegExp(`.{1,${this.columns}}`, 'gu')) ?? [])));
    return true;
  }

  /** Makes it narrower: what is on it is wrapped. */
  narrow(columns: number): void {
    this.columns = columns;
    this.lines = this.lines.flatMap((line) => line.match(new RegExp(`.{1,${columns}}`, 'gu')) ?? ['']);
  }
}

function start(stepIds: readonly string[]): {
  readonly screen: Screen;
  tell(body: EventBody): void;
  draw(): readonly string[];
} {
  const screen = new Screen();
  const reporter = new LiveReporter(screen as unknown as NodeJS.WriteStream); // All that it uses of one.
  const tell = (body: EventBody): void => {
    reporter.onEvent({ ...body, sequence: 0, timeMs: Date.now() });
  };
  const steps = stepIds.map((stepId) => ({
    stepId,
    plugin: 'command',
    needs: [],
    action: 'unknown' as const,
    reason: '',
  }));
  const facts = { runId: 'r', pipeline: 'words', file: 'p.yaml', joyulVersion: '1', nodeVersion: '26' };
  tell({ kind: 'run-started', ...facts, process: '1-1', flags: [], seed: 1, params: {}, steps });
  return {
    screen,
    tell,
    draw: () => {
      vi.advanceTimersByTime(100);
      return screen.lines;
    },
  };
}

const begin = (stepId: string, attempt = 1): EventBody => ({
  kind: 'step-started',
  stepId,
  attempt,
  fingerprint: 'f',
  reason: 'it is new',
});
const end = (stepId: string, how: 'succeeded' | 'failed' | 'cancelled', reason = ''): EventBody => ({
  kind: 'step-ended',
  stepId,
  end: how,
  reason,
  outputs: [],
  durationMs: 2000,
});
const say = (stepId: string, message: string): EventBody => ({
  kind: 'step-event',
  stepId,
  attempt: 1,
  event: { type: 'log', level: 'info', message },
});

describe('the live display', () => {
  test('has one line a step, and is drawn in its place', () => {
    const { tell, draw } = start(['a', 'b', 'c']);
    tell(begin('a'));
    tell(end('a', 'succeeded'));
    tell(begin('b'));
    tell(say('b', 'reading'));
    draw();
    expect(draw()).toEqual(['words 1/3 · 0.2 s', '  ✓ a     2.0 s', '  ⠹ b     reading 0.2 s', '  ◌ c']);
  });

  test('says that a step waits for its next attempt, and which attempt runs', () => {
    const { tell, draw } = start(['a']);
    const failure = { code: 'EXIT_7', message: 'It ended with 7.', problems: [], logTail: [] };
    tell(begin('a'));
    tell({ kind: 'attempt-failed', stepId: 'a', attempt: 1, failure, retryInMs: 3000 });
    expect(draw()[1]).toBe('  ↻ a     attempt 1 failed, the next is in 2.9 s: It ended…');
    tell(begin('a', 2));
    tell(say('a', 'again'));
    expect(draw()[1]).toBe('  ⠹ a     attempt 2: again 0.1 s');
  });

  test('says that a step waits for another run', () => {
    const { tell, draw } = start(['a']);
    tell({ kind: 'step-waiting', stepId: 'a', reason: 'another step or run is computing it' });
    expect(draw()[1]).toBe('  ◌ a     waiting: another step or run is computing it');
  });

  test('shows of a thousand steps those at work, and counts the rest', () => {
    const ids = Array.from({ length: 1000 }, (_, index) => `a-step-with-a-rather-long-name-${index}`);
    const { tell, draw } = start(ids);
    for (const id of ids.slice(0, 15)) tell(begin(id));
    tell(end(ids[0] ?? '', 'succeeded'));
    tell(end(ids[1] ?? '', 'failed'));
    const lines = draw();
    expect(lines).toHaveLength(12);
    expect(lines[0]).toBe('words 1/1000 · 13 at work · 1 failed · 0.1 s');
    expect(lines[1]).toBe('  ⠙ a-step-with…-long-name-2  0.1 s');
    expect(lines.at(-1)).toBe('  and 3 more at work');
  });

  test('does not count as done what was cancelled', () => {
    const { tell, draw } = start(['a', 'b']);
    tell(begin('a'));
    tell(end('a', 'cancelled', 'the run was cancelled'));
    tell(end('b', 'cancelled', 'the run was cancelled'));
    expect(draw().slice(0, 2)).toEqual([
      'words 0/2 · 2 cancelled · 0.1 s',
      '  ■ a     cancelled: the run was cancelled',
    ]);
  });

  test('leaves no line behind when the terminal is made narrower', () => {
    const { screen, tell, draw } = start(['a']);
    tell(begin('a'));
    tell(say('a', 'a long message that fills the whole of the line'));
    expect(draw()).toHaveLength(2);
    screen.narrow(30);
    expect(screen.lines.length).toBeGreaterThan(2);
    expect(draw()).toEqual(['words 0/1 · 0.2 s', '  ⠹ a     a long messa… 0.2 s']);
  });

  test('is never higher than the terminal', () => {
    const { screen, draw } = start(['a', 'b', 'c', 'd', 'e', 'f']);
    screen.rows = 6;
    expect(draw()).toEqual(['words 0/6 · 0.1 s']);
  });
});

test('a name that is cut in its middle keeps both ends, wide characters or not', () => {
  expect(fitMiddle('train@learning_rate=0.001', 13)).toBe('train@…=0.001');
  expect(fitMiddle('조율을-시작하는-단계', 9)).toBe('조율…단계');
  expect(fitMiddle('short', 9)).toBe('short');
});
