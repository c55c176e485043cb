import type { RowProblem } from '../row.ts';
import { CsvParser } from './csv.ts';
import type { Cell } from './csv.ts';
import type { RecordBatch, TableRecord } from './table-record.ts';

/** Makes records of a CSV file's text as it comes; the first line names the fields. */
export class CsvRecords {
  readonly #file: string;
  readonly #parser = new CsvParser();
  #names: readonly string[] | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /** The records that end in this text. */
  read(text: string, isLast: boolean): RecordBatch {
    const { records: found, problems: broken } = this.#parser.parse(text, isLast);
    const problems: RowProblem[] = broken.map((problem) => ({ file: this.#file, ...problem }));
    const records: TableRecord[] = [];
    for (const cells of found)
      if (this.#names === undefined) {
        this.#names = cells.map((cell) => cell.value.trim());
        problems.push(...this.#checkNames(cells));
      } else this.#makeRecord(cells, records, problems);
    return { records, problems };
  }

  #checkNames(header: readonly Cell[]): readonly RowProblem[] {
    const names = this.#names ?? [];
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice === undefined) return [];
    const cell = header[names.lastIndexOf(twice)];
    const message = `Two fields are named ${JSON.stringify(twice)}.`;
    return [{ file: this.#file, line: cell?.line ?? 1, column: cell?.column ?? 1, field: twice, message }];
  }

  #makeRecord(cells: readonly Cell[], records: TableRecord[], problems: RowProblem[]): void {
    const names = this.#names ?? [];
    const line = cells[0]?.line ?? 1;
    if (cells.length === names.length) {
      records.push({
        line,
        values: new Map(names.map((name, index) => [name, cells[index]?.value])),
        columns: new Map(names.map((name, index) => [name, cells[index]?.column ?? 1])),
      });
      return;
    }
    problems.push({
      file: this.#file,
      line,
      column: cells.at(-1)?.column ?? 1,
      message: `This row has ${cells.length} ${cells.length === 1 ? 'field' : 'fields'}, but the header has ${names.length}.`,
    });
  }
}
