/**
 * Reads and writes safetensors files: eight bytes of header length, a JSON header, then the tensors' bytes.
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { StoredType, WrittenType } from './number-formats.ts';
import { numberFormats, packNumbers } from './number-formats.ts';
import { compareNames, countElements, loadTensors, readNumbers } from './tensors.ts';
import type { LazyTensor, NamedTensor } from './tensors.ts';
import { writeWhole } from './write-whole.ts';
import { WeightsError } from './weights-error.ts';

/** Where a tensor lies in a file. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly offset: number;
  readonly sizeBytes: number;
}

const maxHeaderBytes = 100_000_000;

function parseEntry(
  file: string,
  name: string,
  entry: unknown,
  dataStart: number,
  fileBytes: number,
): StoredTensor {
  const {
    dtype,
    shape,
    data_offsets: offsets,
  } = entry as { dtype?: unknown; shape?: unknown; data_offsets?: unknown }; // Checked below.
  if (typeof dtype !== 'string' || !(dtype in numberFormats))
    throw new WeightsError(file, `the tensor ${name} has the unknown type ${String(dtype)}.`);
  if (!Array.isArray(shape) || !Array.isArray(offsets))
    throw new WeightsError(file, `the tensor ${name} has no shape or no offsets.`);
  const lengths = shape.map(Number);
  const [begin = 0, end = 0] = offsets.map(Number);
  const type = dtype as StoredType; // One of the keys, as just checked.
  const sizeBytes = countElements(lengths) * numberFormats[type].blockBytes;
  if (end - begin !== sizeBytes)
    throw new WeightsError(
      file,
      `the tensor ${name} has ${end - begin} bytes, but its shape needs ${sizeBytes}.`,
    );
  if (dataStart + end > fileBytes)
    throw new WeightsError(
      file,
      `the file ends before the tensor ${name} does; it was not downloaded whole.`,
    );
  return { name, dtype: type, shape: lengths, offset: dataStart + begin, sizeBytes };
}

async function readHeader(handle: FileHandle, file: string): Promise<readonly StoredTensor[]> {
  const { size } = await handle.stat();
  if (size < 8) throw new WeightsError(file, 'the file is too short to hold weights.');
  const { buffer: prefix } = await handle.read(Buffer.alloc(8), 0, 8, 0);
  const length = Number(prefix.readBigUInt64LE(0));
  if (length > maxHeaderBytes || 8 + length > size)
    throw new WeightsError(file, 'this is not a safetensors file.');
  const { buffer: header } = await handle.read(Buffer.alloc(length), 0, length, 8);
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(header.toString('utf8')) as Record<string, unknown>; // Entries are checked one by one.
  } catch {
    throw new WeightsError(file, 'this is not a safetensors file: its header is not JSON.');
  }
  return Object.entries(parsed)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => parseEntry(file, name, entry, 8 + length, size));
}

/** The tensors of a file, without their data. */
export async function listTensors(file: string): Promise<readonly StoredTensor[]> {
  const handle = await open(file);
  try {
    return await readHeader(handle, file);
  } finally {
    await handle.close();
  }
}

/** The tensors of a file; each is read when it is asked for. */
export async function openTensors(file: string): Promise<readonly LazyTensor[]> {
  return (await listTensors(file)).map((stored) => ({
    name: stored.name,
    shape: stored.shape,
    readData: () => readNumbers(file, stored, numberFormats[stored.dtype], `the tensor ${stored.name}`),
  }));
}

/** The tensors of a file as 32-bit floats; `wanted` keeps a name by returning true, absent means all. */
export async function readTensors(
  file: string,
  wanted: (name: string) => boolean = () => true,
): Promise<readonly NamedTensor[]> {
  return loadTensors((await openTensors(file)).filter((tensor) => wanted(tensor.name)));
}

/**
 * Writes tensors in code-unit order of their names, so that equal tensors give equal bytes; lazy ones are read one at
 * a time.
 *
 * The file appears under its name only when it is whole.
 */
export async function writeTensors(
  file: string,
  tensors: readonly (NamedTensor | LazyTensor)[],
  options: { readonly dtype?: WrittenType } = {},
): Promise<void> {
  const { dtype = 'F32' } = options;
  const sorted = [...tensors].sort(compareNames);
  await writeWhole(file, async (handle) => {
    await handle.writeFile(formatHeader(sorted, dtype));
    for (const tensor of sorted) {
      const data = 'data' in tensor ? tensor.data : await tensor.readData();
      if (data.length !== countElements(tensor.shape))
        throw new Error(`Internal error: ${tensor.name} has ${data.length} numbers, but another shape.`);
      await handle.writeFile(packNumbers(data, dtype));
    }
  });
}

function formatHeader(sorted: readonly (NamedTensor | LazyTensor)[], dtype: WrittenType): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const { name, shape } of sorted) {
    const end = offset + countElements(shape) * numberFormats[dtype].blockBytes;
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = JSON.stringify(header);
  // Padding with spaces puts the data on a boundary of eight bytes.
  const text = Buffer.from(json + ' '.repeat(-Buffer.byteLength(json) & 7));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([prefix, text]);
}
