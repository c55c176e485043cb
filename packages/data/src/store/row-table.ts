import { formatConversation } from '../readers/chat.ts';
import type { ChatMessage, JsonObject, RawRow, RowPlace, TokenRow } from '../row.ts';
import { Spool } from './spool.ts';

/** What of a row lies on disk; the rest is looked at too often. */
interface Stored {
  /** Absent where it is what the turns say, which would be written twice. */
  readonly text?: string;
  readonly messages?: readonly ChatMessage[] | undefined;
  readonly tools?: readonly JsonObject[] | undefined;
  readonly tokens?: TokenRow | undefined;
  readonly id?: string | undefined;
  readonly group?: string | undefined;
}

/** What a row is, without looking at what it says. */
export type RowKind = 'text' | 'chat' | 'tokens';

const kinds: readonly RowKind[] = ['text', 'chat', 'tokens'];
const splits = [undefined, 'train', 'validation', 'test'] as const;

/** Distinct values and the number of each. */
class Names {
  readonly #numbers = new Map<string | undefined, number>();
  readonly #values: (string | undefined)[] = [];

  numberOf(value: string | undefined): number {
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    this.#values.push(value);
    this.#numbers.set(value, this.#values.length - 1);
    return this.#values.length - 1;
  }

  get(number: number): string | undefined {
    return this.#values[number];
  }
}

/** A row whose words lie on disk. */
class StoredRow implements RawRow {
  readonly #table: RowTable;
  readonly #index: number;

  constructor(table: RowTable, index: number) {
    this.#table = table;
    this.#index = index;
  }

  get text(): string {
    return this.#table.textAt(this.#index);
  }
  get messages(): readonly ChatMessage[] | undefined {
    return this.kind === 'chat' ? this.#table.read(this.#index).messages : undefined;
  }
  get tools(): readonly JsonObject[] | undefined {
    return this.kind === 'chat' ? this.#table.read(this.#index).tools : undefined;
  }
  get tokens(): TokenRow | undefined {
    return this.kind === 'tokens' ? this.#table.read(this.#index).tokens : undefined;
  }
  get id(): string | undefined {
    return this.#table.read(this.#index).id;
  }
  get group(): string | undefined {
    return this.#table.read(this.#index).group;
  }
  get label(): string | undefined {
    return this.#table.labelAt(this.#index);
  }
  get split(): RawRow['split'] {
    return this.#table.splitAt(this.#index);
  }
  get place(): RowPlace {
    return this.#table.placeAt(this.#index);
  }
  get kind(): RowKind {
    return this.#table.kindAt(this.#index);
  }
  get textLength(): number {
    return this.#table.lengthAt(this.#index);
  }
}

/** What a row is, without reading it. */
export function kindOf(row: RawRow): RowKind {
  if (row instanceof StoredRow) return row.kind;
  return row.messages !== undefined ? 'chat' : row.tokens !== undefined ? 'tokens' : 'text';
}

/** Characters of a row's text, without reading it. */
export function textLengthOf(row: RawRow): number {
  return row instanceof StoredRow ? row.textLength : row.text.length;
}

type Column = Uint8Array | Uint32Array;

/**
 * Rows in little memory, about 80 bytes each: what they say lies in a file, and is read when it is asked for. They are
 * rows like others, except that copying one by `{ ...row }` copies nothing.
 */
export class RowTable {
  readonly #spool: Spool;
  readonly #files = new Names();
  readonly #labels = new Names();
  readonly #rows: RawRow[] = [];
  #columns = {
    file: new Uint32Array(1024),
    line: new Uint32Array(1024),
    label: new Uint32Array(1024),
    length: new Uint32Array(1024),
    split: new Uint8Array(1024),
    kind: new Uint8Array(1024),
  };
  #last: { readonly index: number; readonly stored: Stored } | undefined;

  /** `file` is where the rows' words are kept until `dispose`. */
  constructor(file: string) {
    this.#spool = new Spool(file);
  }

  /** All rows so far, in their order. */
  get rows(): readonly RawRow[] {
    return this.#rows;
  }

  /** Adds a row; `given` may be a row of another table, whose text or label another one takes the place of. */
  add(given: RawRow, change: { readonly text?: string; readonly label?: string | undefined } = {}): void {
    const text = change.text ?? given.text;
    const { messages, tools, tokens, id, group } = given;
    const isSaid = messages !== undefined && text === formatConversation(messages);
    const stored: Stored = { ...(isSaid ? {} : { text }), messages, tools, tokens, id, group };
    const index = this.#spool.add(JSON.stringify(stored));
    if (index >= this.#columns.file.length) this.#grow();
    const { file, line, label, length, split, kind } = this.#columns;
    file[index] = this.#files.numberOf(given.place.file);
    line[index] = given.place.line;
    label[index] = this.#labels.numberOf('label' in change ? change.label : given.label);
    length[index] = text.length;
    split[index] = splits.indexOf(given.split);
    kind[index] = kinds.indexOf(kindOf(given));
    this.#rows.push(new StoredRow(this, index));
  }

  /** What lies on disk of a row; the last one is kept, since rows are mostly asked several things in turn. */
  read(index: number): Stored {
    if (this.#last?.index === index) return this.#last.stored;
    const stored = JSON.parse(this.#spool.read(index)) as Stored; // Written by add.
    this.#last = { index, stored };
    return stored;
  }

  textAt(index: number): string {
    const { text, messages = [] } = this.read(index);
    return text ?? formatConversation(messages);
  }

  labelAt(index: number): string | undefined {
    return this.#labels.get(this.#columns.label[index] ?? 0);
  }

  splitAt(index: number): RawRow['split'] {
    return splits[this.#columns.split[index] ?? 0];
  }

  placeAt(index: number): RowPlace {
    const file = this.#files.get(this.#columns.file[index] ?? 0) ?? '';
    return { file, line: this.#columns.line[index] ?? 0 };
  }

  kindAt(index: number): RowKind {
    return kinds[this.#columns.kind[index] ?? 0] ?? 'text';
  }

  lengthAt(index: number): number {
    return this.#columns.length[index] ?? 0;
  }

  /** Removes the file; the rows cannot be read any more. */
  dispose(): void {
    this.#spool.dispose();
  }

  #grow(): void {
    const { file, line, label, length, split, kind } = this.#columns;
    this.#columns = {
      file: longer(file),
      line: longer(line),
      label: longer(label),
      length: longer(length),
      split: longer(split),
      kind: longer(kind),
    };
  }
}

/** A copy with room for twice as many. */
function longer<T extends Column>(column: T): T {
  const copy =
    column instanceof Uint8Array ? new Uint8Array(column.length * 2) : new Uint32Array(column.length * 2);
  copy.set(column);
  return copy as T; // Of the same kind as the column.
}
