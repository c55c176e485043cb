import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readGgufHeader } from '../../src/gguf/gguf-file.ts';
import { readNumbers } from '../../src/tensors.ts';
import { makeFolder } from '../temporary-folder.ts';
import { list, makeGguf, plainTensor, text, u32 } from './gguf-writer.ts';
import type { Typed } from './gguf-writer.ts';

/** What reading these bytes says. */
async function problemOf(bytes: Uint8Array): Promise<string> {
  await using folder = await makeFolder();
  const file = join(folder.path, 'model.gguf');
  await writeFile(file, bytes);
  return await readGgufHeader(file).then(
    () => 'nothing',
    (error: unknown) => String(error),
  );
}

const tensor = plainTensor('token_embd.weight', [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));

test('values of every type are read', async () => {
  await using folder = await makeFolder();
  const values: Readonly<Record<string, Typed>> = {
    u8: [0, 200],
    i8: [1, -3],
    u16: [2, 60_000],
    i16: [3, -300],
    u32: u32(4_000_000_000),
    i32: [5, -70_000],
    f32: [6, 0.5],
    yes: [7, true],
    text: text('naïve'),
    list: list([text('a'), text('Ġb')]),
    lists: list([list([u32(1), u32(2)]), list([u32(3)])]),
    u64: [10, 2 ** 40],
    i64: [11, -5],
    f64: [12, 0.1],
  };
  const file = join(folder.path, 'model.gguf');
  await writeFile(file, makeGguf(values, []));
  const { metadata } = await readGgufHeader(file);
  expect(Object.fromEntries(metadata)).toEqual({
    u8: 200,
    i8: -3,
    u16: 60_000,
    i16: -300,
    u32: 4_000_000_000,
    i32: -70_000,
    f32: 0.5,
    yes: true,
    text: 'naïve',
    list: ['a', 'Ġb'],
    lists: [[1, 2], [3]],
    u64: 2 ** 40,
    i64: -5,
    f64: 0.1,
  });
});

test('tensors are found behind a header that is longer than the first read', async () => {
  await using folder = await makeFolder();
  const file = join(folder.path, 'model.gguf');
  const second = plainTensor('output_norm.weight', [3], Float32Array.of(7, 8, 9));
  await writeFile(file, makeGguf({ long: text('x'.repeat(5_000_000)) }, [tensor, second]));
  const { tensors } = await readGgufHeader(file);
  expect(tensors.map(({ name, shape }) => [name, shape])).toEqual([
    ['token_embd.weight', [2, 3]],
    ['output_norm.weight', [3]],
  ]);
  const data = await Promise.all(tensors.map((item) => readNumbers(file, item, item.type, item.name)));
  expect(data.map((item) => [...item])).toEqual([
    [1, 2, 3, 4, 5, 6],
    [7, 8, 9],
  ]);
});

test('what is not a whole GGUF file is refused by name', async () => {
  const bytes = makeGguf({ 'general.architecture': text('llama') }, [tensor]);
  expect(await problemOf(Buffer.from('PK not a model'))).toBe(
    'WeightsError: model.gguf: this is not a GGUF file.',
  );
  expect(await problemOf(makeGguf({}, [], 1))).toBe(
    'WeightsError: model.gguf: this is GGUF version 1; 2 and 3 little-endian can be read.',
  );
  expect(await problemOf(bytes.subarray(0, 60))).toBe(
    'WeightsError: model.gguf: the file ends within its header; it was not downloaded whole.',
  );
  expect(await problemOf(bytes.subarray(0, bytes.length - 16))).toBe(
    'WeightsError: model.gguf: the file ends before the tensor token_embd.weight does; it was not downloaded whole.',
  );
});

test('tensors that cannot be unpacked are refused by name', async () => {
  expect(await problemOf(makeGguf({}, [{ ...tensor, type: 16 }]))).toBe(
    'WeightsError: model.gguf: the tensor token_embd.weight is packed in a way that cannot be read (type 16); F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, BF16 can.',
  );
  expect(await problemOf(makeGguf({}, [{ ...tensor, type: 2 }]))).toBe(
    'WeightsError: model.gguf: the tensor token_embd.weight has rows of 3 numbers, which are no whole blocks of Q4_0.',
  );
  expect(await problemOf(makeGguf({ odd: [77, 1] }, []))).toBe(
    'WeightsError: model.gguf: odd has the unknown type 77.',
  );
});
