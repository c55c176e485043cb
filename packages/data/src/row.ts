/** Where a row comes from, for messages. */
export interface RowPlace {
  /** Relative to the source. */
  readonly file: string;
  /** From 1; the number of the row where a file has no lines, as Parquet has none. */
  readonly line: number;
}

/** A JSON object, such as a function that the assistant may call. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  /** What is said; for a turn of tool calls only, these as JSON. */
  readonly content: string;
  /** 0 keeps an assistant turn out of the loss; absent means 1. */
  readonly weight?: 0 | 1;
  /** What the assistant calls, as OpenAI has it, with arguments as an object. */
  readonly tool_calls?: readonly JsonObject[];
  /** The call that a tool's turn answers. */
  readonly tool_call_id?: string;
  /** Which tool, or which of several people, speaks. */
  readonly name?: string;
}

/** A row that is tokens already. */
export interface TokenRow {
  readonly ids: readonly number[];
  /** For each token itself where it is learned, and −100 where it is only read; absent means all are learned. */
  readonly labels?: readonly number[];
}

/** One example as it was read. */
export interface RawRow {
  /** For a conversation: its turns, one after the other; for tokens: their ids. */
  readonly text: string;
  /** The turns of a conversation; absent for every other task. */
  readonly messages?: readonly ChatMessage[] | undefined;
  /** The functions that the assistant may call in this conversation. */
  readonly tools?: readonly JsonObject[] | undefined;
  /** The tokens of a row that is no text; absent for every other. */
  readonly tokens?: TokenRow | undefined;
  /** The id that the source gives the row; absent means one is made of text and label. */
  readonly id?: string | undefined;
  /** Absent for a row without a label. */
  readonly label?: string | undefined;
  /** Rows of one group are never put into two splits. */
  readonly group?: string | undefined;
  /** The split that the source itself puts the row into. */
  readonly split?: 'train' | 'validation' | 'test' | undefined;
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
  /** The functions that the assistant may call in this conversation. */
  readonly tools?: readonly JsonObject[];
  /** The tokens of a row that is no text; absent for every other. */
  readonly tokens?: TokenRow;
  /** Who wrote the row: a model; absent for what was read from a source. */
  readonly origin?: 'generated';
}

/** Something wrong with one row. */
export interface RowProblem {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
  /** A JSON pointer, or the name of a column of CSV. */
  readonly field?: string;
  readonly message: string;
}

/** Rows that were read together, and what is wrong with those that could not be. */
export interface RowBatch {
  readonly rows: readonly RawRow[];
  /** Everything wrong, in the order of the file. */
  readonly problems: readonly RowProblem[];
}

/** What one row of a table stands for. */
export type RowShape =
  'classification' | 'text' | 'openai' | 'sharegpt' | 'alpaca' | 'prompt-completion' | 'tokens';

/** Which fields of a table hold what. */
export interface FieldNames {
  readonly text?: string;
  readonly label?: string;
  readonly id?: string;
  readonly group?: string;
  readonly split?: string;
  readonly prompt?: string;
  readonly completion?: string;
  readonly system?: string;
  readonly messages?: string;
  readonly tools?: string;
}
