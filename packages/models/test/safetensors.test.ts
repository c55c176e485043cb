import { createHash } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listTensors, openTensors, readTensors, writeTensors } from '../src/index.ts';
import { makeFolder } from './temporary-folder.ts';

const values = Float32Array.of(0, -0, 1, 1 / 3, -65_504, 1e-8, 3.3895e38, Number.NaN, -Infinity);
const tensors = [
  { name: 'b', shape: [3, 3], data: values },
  { name: 'a', shape: [2], data: Float32Array.of(5, 6) },
];
const digestOf = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

/** A safetensors file with this header and so many bytes behind it. */
function makeFile(header: unknown, bytes: number): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([prefix, json, Buffer.alloc(bytes, 1)]);
}

test('numbers are rounded to the nearest of the type they are written in', async () => {
  await using folder = await makeFolder();
  const read = async (dtype: 'F32' | 'F16' | 'BF16'): Promise<readonly number[]> => {
    const file = join(folder.path, dtype);
    await writeTensors(file, tensors, { dtype });
    const [, tensor] = await readTensors(file);
    return [...(tensor?.data ?? [])];
  };
  expect(await read('F32')).toEqual([...values]);
  // torch.tensor(values).half() and .bfloat16().
  expect(await read('F16')).toEqual([0, -0, 1, 0.333251953125, -65_504, 0, Infinity, Number.NaN, -Infinity]);
  expect(await read('BF16')).toEqual([
    0,
    -0,
    1,
    0.333984375,
    -65_536,
    Math.fround(1.0011717677116394e-8),
    3.3895313892515355e38,
    Number.NaN,
    -Infinity,
  ]);
});

test('equal tensors give equal bytes, in any order, lazy or not', async () => {
  await using folder = await makeFolder();
  const [first, second, third] = ['1', '2', '3'].map((name) => join(folder.path, name));
  await writeTensors(first ?? '', tensors);
  await writeTensors(second ?? '', tensors.toReversed());
  await writeTensors(third ?? '', await openTensors(first ?? ''));
  expect(await digestOf(second ?? '')).toBe(await digestOf(first ?? ''));
  expect(await digestOf(third ?? '')).toBe(await digestOf(first ?? ''));
});

test('a tensor longer than what is read at a time comes back whole', async () => {
  await using folder = await makeFolder();
  const file = join(folder.path, 'long');
  const data = Float32Array.from({ length: 300_001 }, (_, index) => index);
  await writeTensors(file, [{ name: 'long', shape: [300_001], data }]);
  const [tensor] = await readTensors(file);
  expect(tensor?.data.every((value, index) => value === index)).toBe(true);
});

test('a file that fails half-way leaves nothing behind', async () => {
  await using folder = await makeFolder();
  const readData = (): Promise<Float32Array> => Promise.reject(new Error('The disk is gone.'));
  await expect(
    writeTensors(join(folder.path, 'model'), [...tensors, { name: 'c', shape: [1], readData }]),
  ).rejects.toThrow('The disk is gone.');
  expect(await readdir(folder.path)).toEqual([]);
});

test('a damaged file is refused by its name and the tensor', async () => {
  await using folder = await makeFolder();
  const file = join(folder.path, 'model.safetensors');
  const problemOf = async (bytes: Uint8Array): Promise<string> => {
    await writeFile(file, bytes);
    return listTensors(file).then(() => 'nothing', String);
  };
  const entry = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
  expect(await problemOf(Buffer.from('short'))).toBe(
    'WeightsError: model.safetensors: the file is too short to hold weights.',
  );
  expect(await problemOf(Buffer.from('PK this is a zip file'))).toBe(
    'WeightsError: model.safetensors: this is not a safetensors file.',
  );
  expect(await problemOf(makeFile({ w: entry }, 4))).toBe(
    'WeightsError: model.safetensors: the file ends before the tensor w does; it was not downloaded whole.',
  );
  expect(await problemOf(makeFile({ w: { ...entry, shape: [3] } }, 8))).toBe(
    'WeightsError: model.safetensors: the tensor w has 8 bytes, but its shape needs 12.',
  );
  expect(await problemOf(makeFile({ w: { ...entry, dtype: 'F8_E4M3' } }, 8))).toBe(
    'WeightsError: model.safetensors: the tensor w has the unknown type F8_E4M3.',
  );
});
