import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nodeFileSystem } from '../../src/util/file-system.ts';
import { listFiles } from '../../src/util/files.ts';

let dir = '';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'joyul-files-'));
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

function write(...names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), name);
  }
}

const list = (folder: string): readonly string[] => listFiles(nodeFileSystem, join(dir, folder));

test('files are listed in code-unit order, folders inside of each other included', () => {
  write('a/b', 'a/B', 'a/c/d', 'a/c.txt', 'a/é');
  expect(list('a')).toEqual(['B', 'b', 'c.txt', 'c/d', 'é']);
});

test('a link counts as the file or folder that it leads to', () => {
  write('far/file', 'far/deep/file', 'near/own');
  symlinkSync('../far', join(dir, 'near/folder'));
  symlinkSync('../far/file', join(dir, 'near/linked'));
  expect(list('near')).toEqual(['folder/deep/file', 'folder/file', 'linked', 'own']);
});

test('a link that leads nowhere, or back to a folder that it is in, is left out', () => {
  write('a/b/file');
  symlinkSync('gone', join(dir, 'a/broken'));
  symlinkSync('.', join(dir, 'a/self'));
  symlinkSync('../..', join(dir, 'a/b/up'));
  symlinkSync('..', join(dir, 'a/b/parent'));
  expect(list('a')).toEqual(['b/file']);
});

test('two links to the same folder are both followed', () => {
  write('far/file', 'near/own');
  symlinkSync('../far', join(dir, 'near/one'));
  symlinkSync('../far', join(dir, 'near/two'));
  expect(list('near')).toEqual(['one/file', 'own', 'two/file']);
});
