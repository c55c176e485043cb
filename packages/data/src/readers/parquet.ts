import type { FileMetaData } from 'hyparquet';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { isRecord } from './field-problem.ts';
import type { RecordBatch, TableRecord } from './table-record.ts';

/** What Parquet has types for and JSON has not: whole numbers of 64 bits, dates, bytes. */
function toJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>); // Any other view holds numbers.
  if (Array.isArray(value)) return value.map(toJson);
  if (isRecord(value))
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toJson(item)]));
  return value;
}

/** The names of classes that Hugging Face's `datasets` keeps as numbers, by field. */
function classNames(metadata: FileMetaData): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  const text = metadata.key_value_metadata?.find(({ key }) => key === 'huggingface')?.value;
  const json: unknown = text === undefined ? undefined : JSON.parse(text);
  const info = isRecord(json) ? json['info'] : undefined;
  const features = isRecord(info) ? info['features'] : undefined;
  for (const [field, feature] of Object.entries(isRecord(features) ? features : {}))
    if (isRecord(feature) && feature['_type'] === 'ClassLabel' && Array.isArray(feature['names']))
      names.set(field, feature['names'].map(String));
  return names;
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * The rows of a Parquet file, row group by row group, numbered from 1; a row group that cannot be read is one problem.
 * Needs about the memory of its largest row group.
 */
export async function* readParquet(path: string, file: string): AsyncGenerator<RecordBatch> {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await import('hyparquet');
  const compressors = {
    // Node has what hyparquet lacks, so no package is needed for it; snappy is hyparquet's own.
    GZIP: (input: Uint8Array) => gunzipSync(input),
    ZSTD: (input: Uint8Array) => zstdDecompressSync(input),
    BROTLI: (input: Uint8Array) => brotliDecompressSync(input),
  };
  const buffer = await asyncBufferFromFile(path);
  const refuse = (line: number, error: unknown): RecordBatch => ({
    records: [],
    problems: [{ file, line, message: `This is not Parquet that can be read: ${reason(error)}.` }],
  });
  let metadata: FileMetaData;
  try {
    metadata = await parquetMetadataAsync(buffer);
  } catch (error) {
    yield refuse(1, error);
    return;
  }
  const classes = classNames(metadata);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    try {
      const rows = await parquetReadObjects({ file: buffer, metadata, rowStart, rowEnd, compressors });
      const first = rowStart + 1;
      yield { records: rows.map((row, index) => makeRecord(row, first + index, classes)), problems: [] };
    } catch (error) {
      yield refuse(rowStart + 1, error);
    }
    rowStart = rowEnd;
  }
}

function makeRecord(
  row: Readonly<Record<string, unknown>>,
  line: number,
  classes: ReadonlyMap<string, readonly string[]>,
): TableRecord {
  const values = new Map<string, unknown>();
  for (const [name, given] of Object.entries(row)) {
    const value = toJson(given);
    const label = typeof value === 'number' ? classes.get(name)?.[value] : undefined;
    values.set(name, label ?? value);
  }
  return { line, values };
}
