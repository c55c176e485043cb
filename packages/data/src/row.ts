/** Where a row comes from, for messages. */
export interface RowPlace {
  /** Relative to the source. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  /** 0 keeps an assistant turn out of the loss; absent means 1. */
  readonly weight?: 0 | 1;
}

/** One example as it was read. */
export interface RawRow {
  /** For a conversation: its turns, one after the other. */
  readonly text: string;
  /** The turns of a conversation; absent for every other task. */
  readonly messages?: readonly ChatMessage[];
  /** The id that the source gives the row; absent means one is made of text and label. */
  readonly id?: string;
  /** Absent for a row without a label. */
  readonly label?: string;
  /** Rows of one group are never put into two splits. */
  readonly group?: string;
  /** The split that the source itself puts the row into. */
  readonly split?: 'train' | 'validation' | 'test';
  readonly place: RowPlace;
}

/** One example of a data set. */
export interface Row {
  /** Stable: the source's own, or one that depends on the text and the label only. */
  readonly id: string;
  readonly text: string;
  readonly label?: string;
  /** The turns of a conversation; absent for every other task. */
  readonly messages?: readonly ChatMessage[];
  /** Who wrote the row: a model; absent for what was read from a source. */
  readonly origin?: 'generated';
}

/** Something wrong with one row. */
export interface RowProblem {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
  readonly field?: string;
  readonly message: string;
}

/** What a reader found. */
export interface ReadResult {
  readonly rows: readonly RawRow[];
  /** Everything wrong, in the order of the files. */
  readonly problems: readonly RowProblem[];
  /** What the rows were taken for; absent where there are none. */
  readonly shape?: RowShape;
}

/** What one row of a table stands for. */
export type RowShape = 'classification' | 'text' | 'chat' | 'sharegpt' | 'alpaca' | 'prompt-completion';

/** Which fields of a table hold what. */
export interface FieldNames {
  readonly text?: string;
  readonly label?: string;
  readonly id?: string;
  readonly group?: string;
  readonly split?: string;
}
