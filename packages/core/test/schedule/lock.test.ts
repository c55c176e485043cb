import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isMarkAlive, ownMark } from '../../src/schedule/exclusive.ts';
import { SchedulerLock } from '../../src/schedule/lock.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'joyul-lock-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const take = (): SchedulerLock => {
  const taken = SchedulerLock.take(dir, 'scheduler');
  if (taken instanceof SchedulerLock) return taken;
  throw new Error(`It is held by ${taken.process}.`);
};

/** A lock file as another process would leave it. */
const leave = (number: number, fields: object): void => {
  const holder = { ...ownMark(), role: 'scheduler', sinceMs: 5, ...fields };
  writeFileSync(join(dir, `lock.${number}`), JSON.stringify(holder));
};

test('one process holds it; who asks is told who', () => {
  const lock = take();
  const refused = SchedulerLock.take(dir, 'command');
  expect(refused).toMatchObject({ ...ownMark(), role: 'scheduler' });
  expect(SchedulerLock.findHolder(dir)).toMatchObject({ process: ownMark().process });
  lock.release();
  expect(SchedulerLock.findHolder(dir)).toBeUndefined();
  take();
  expect(readdirSync(dir)).toEqual(['lock.2']);
});

test.for([
  ['whose process is gone', { process: '4194304-1' }],
  ['whose process id came again', { process: `${process.pid}-1` }],
  ['of an earlier start of the machine', { boot: 'another' }],
])('a lock %s is taken over', ([, fields]) => {
  leave(7, fields as object);
  expect(take().isHeld()).toBe(true);
  expect(readdirSync(dir)).toEqual(['lock.8']);
});

test('a lock of another machine is believed: nobody here can know better', () => {
  leave(1, { host: `not-${hostname()}`, process: '4194304-1' });
  expect(SchedulerLock.take(dir, 'scheduler')).toMatchObject({ host: `not-${hostname()}` });
});

test('whoever was too slow gives way to a higher number', () => {
  const lock = take();
  leave(9, {});
  expect(lock.isHeld()).toBe(false);
  lock.release();
  expect(SchedulerLock.findHolder(dir)).toMatchObject({ sinceMs: 5 });
});

test('a holder whose folder was removed knows it', () => {
  const lock = take();
  rmSync(dir, { recursive: true });
  expect(lock.isHeld()).toBe(false);
});

test('a file without its content is held for a moment', () => {
  writeFileSync(join(dir, 'lock.1'), '');
  expect(SchedulerLock.take(dir, 'scheduler')).toMatchObject({ role: 'command' });
});

test('of many processes that find a dead owner, one at a time takes over', async () => {
  leave(3, { process: '4194304-1' });
  const source = `
    import { SchedulerLock } from ${JSON.stringify(import.meta.resolve('../../src/schedule/lock.ts'))};
    import { mkdirSync, rmdirSync } from 'node:fs';
    let got = 0;
    for (let time = 0; time < 60; time++) {
      const lock = SchedulerLock.take(${JSON.stringify(dir)}, 'scheduler');
      if (!(lock instanceof SchedulerLock)) continue;
      // Fails when another process is inside as well.
      mkdirSync(${JSON.stringify(`${dir}-inside`)});
      rmdirSync(${JSON.stringify(`${dir}-inside`)});
      lock.release();
      got++;
    }
    console.log(got);
  `;
  const script = join(dir, 'take.ts');
  writeFileSync(script, source);
  const outputs = await Promise.all(
    Array.from({ length: 6 }, async () => promisify(execFile)(process.execPath, [script])),
  );
  expect(outputs.reduce((sum, { stdout }) => sum + Number(stdout), 0)).toBeGreaterThan(0);
}, 60_000);

test('a mark is alive while its process is', () => {
  expect(isMarkAlive(ownMark())).toBe(true);
  expect(isMarkAlive({ ...ownMark(), process: '' })).toBe(false);
});
