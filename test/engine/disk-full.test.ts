import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { Rig } from '@joyul/testing';
import { expect, test } from 'vitest';

/** Mounts a small disk; false where this user may not. */
function mountSmall(dir: string, size: string): boolean {
  mkdirSync(dir);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const pipeline = `
name: p
steps:
  small: { uses: command, with: { run: "echo hi > a.txt", outputs: { text: a.txt } } }
  big: { uses: command, with: { run: "head -c 2000000 /dev/zero > big.bin", outputs: { bin: big.bin } } }
`;

test('a full disk is told in words, keeps nothing half-written, and the next run goes on', async (context) => {
  await using rig = await Rig.create();
  const disk = rig.path('disk');
  if (!mountSmall(disk, '3m')) {
    context.skip('needs the right to mount a small disk');
    return;
  }
  try {
    await rig.write({ 'disk/package.json': '{}', 'disk/pipeline.yaml': pipeline });
    const run = async (): ReturnType<typeof rig.joyul> => rig.joyul('run', 'disk/pipeline.yaml');
    const full = await run();
    expect(full.exitCode).toBe(1);
    expect(full.stdout + full.stderr).toContain(
      'The disk is full; nothing half-written was kept. [DISK_FULL]',
    );
    // Not a byte is left, not even for events.
    await rig.remove('disk/big.bin');
    expect(() => {
      writeFileSync(rig.path('disk/filler'), Buffer.alloc(4_000_000));
    }).toThrow('ENOSPC');
    const fuller = await run();
    expect(fuller.exitCode).toBe(1);
    expect(fuller.stderr).toContain('The disk is full');
    expect(fuller.stderr).not.toMatch(/^ {4}at /m);
    execFileSync('mount', ['-o', 'remount,size=30m', disk]);
    const mended = await run();
    expect(mended.exitCode).toBe(0);
    expect(mended.stdout + mended.stderr).toContain('small: reused');
  } finally {
    execFileSync('umount', [disk]);
  }
});
