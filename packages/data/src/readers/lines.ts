import { createReadStream } from 'node:fs';
import type { RowProblem } from '../row.ts';

/** Whole lines of a file, decoded. */
export interface LineBlock {
  readonly text: string;
  /** The number of its first line, from 1. */
  readonly line: number;
  readonly isLast: boolean;
  /** Where the block has a byte that is not UTF-8. */
  readonly problem?: RowProblem;
}

const lineFeed = 10;
const replacement = Buffer.from('\uFFFD');

/** What is wrong with the encoding of some lines: where the first byte is that is not UTF-8. */
function checkEncoding(file: string, bytes: Buffer, text: string, line: number): RowProblem | undefined {
  const at = text.indexOf('\uFFFD');
  if (at === -1 || bytes.includes(replacement)) return undefined;
  const before = text.slice(0, at);
  return {
    file,
    line: line + before.split('\n').length - 1,
    column: at - before.lastIndexOf('\n'),
    message: 'This byte is not UTF-8. Save the file as UTF-8.',
  };
}

/**
 * The lines of a file in blocks of about `blockBytes`, divided at line feeds, so that a file of any size is read in
 * little memory. There is always a last block, which may be empty. `isLenient` takes what is not UTF-8 for Latin-1, which
 * gives every byte a character, as old text needs it.
 */
export async function* readLineBlocks(
  path: string,
  file: string,
  {
    isLenient = false,
    blockBytes = 1 << 19,
  }: { readonly isLenient?: boolean; readonly blockBytes?: number } = {},
): AsyncGenerator<LineBlock> {
  let [line, isFirst] = [1, true];
  let pending: Buffer[] = [];
  const decode = (bytes: Buffer, isLast: boolean): LineBlock => {
    const whole = bytes.toString('utf8');
    const text = isFirst ? whole.replace(/^\uFEFF/, '') : whole;
    const problem = checkEncoding(file, bytes, text, line);
    if (isLenient && problem !== undefined)
      return next({ text: bytes.toString('latin1'), line, isLast }, bytes);
    return next({ text, line, isLast, ...(problem === undefined ? {} : { problem }) }, bytes);
  };
  const next = (block: LineBlock, bytes: Buffer): LineBlock => {
    isFirst = false;
    for (let at = bytes.indexOf(lineFeed); at !== -1; at = bytes.indexOf(lineFeed, at + 1)) line++;
    return block;
  };
  for await (const chunk of createReadStream(path, { highWaterMark: blockBytes })) {
    const bytes = chunk as Buffer; // No encoding is set.
    const end = bytes.lastIndexOf(lineFeed) + 1;
    if (end === 0) {
      pending.push(bytes);
      continue;
    }
    yield decode(Buffer.concat([...pending, bytes.subarray(0, end)]), false);
    pending = [bytes.subarray(end)];
  }
  yield decode(Buffer.concat(pending), true);
}
