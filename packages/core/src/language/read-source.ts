import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { codeOf } from '../util/files.ts';
import { maxFileBytes } from './document.ts';

/** A file's text, or why there is none. */
export type ReadResult =
  | { readonly text: string }
  | {
      readonly problem: 'missing' | 'unreadable' | 'too large' | 'not text';
      readonly message: string;
    };

/** Reads a file that a person wrote. `file` is the name that messages give it. */
export function readSource(projectDir: string, file: string): ReadResult {
  const path = resolve(projectDir, file);
  try {
    const { size } = statSync(path);
    if (size > maxFileBytes)
      return {
        problem: 'too large',
        message: `${file} has ${(size / 1e6).toFixed(1)} MB; a pipeline file has at most ${maxFileBytes / 1e6} MB.`,
      };
    const bytes = readFileSync(path);
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return { problem: 'missing', message: `There is no file ${file}.` };
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      return { problem: 'not text', message: `${file} is not text in UTF-8.` };
    if (code === 'EISDIR') return { problem: 'unreadable', message: `${file} is a folder.` };
    return { problem: 'unreadable', message: `${file} cannot be read (${code ?? String(error)}).` };
  }
}
