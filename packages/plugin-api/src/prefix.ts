import type { JsonValue } from './json.ts';

/**
 * Says that a step's work can grow: the work for more of the same begins with all the work for less.
 *
 * Two runs of a step do the same work, as far as it goes, when everything that enters their fingerprints is equal but
 * what is named here; `takePrefix` says the rest.
 */
export interface Continues {
  /** One of what `extent` counts, such as `epoch`; told to people. The default is `extent`. */
  readonly unit?: string;
  /** Params that say how much is asked for, and maybe other things. */
  readonly params?: readonly string[];
  /** Inputs that say how much is asked for, and maybe other things. */
  readonly inputs?: readonly string[];
}

/** How much a step is to do, and what else the params and inputs say that `continues` names. */
export interface PrefixRequest {
  /** A whole number from 1, such as the number of epochs. */
  readonly extent: number;
  /** Everything in those params and inputs that decides the work, except the extent; the default is null. */
  readonly key?: JsonValue;
  /** How much this attempt finds done in `scratch`: nothing that does not go beyond it is given. The default is 0. */
  readonly done?: number;
  /**
   * Why the work for less is no beginning of this work although the key is the same, in words that end a sentence; it is
   * told where a shorter run could have been used. Then nothing is given or kept.
   */
  readonly obstacle?: string;
}

/** What a shorter run left. */
export interface EarlierState {
  /** How much it was asked for. */
  readonly extent: number;
  /** A read-only folder with what it put into `keep`. The step must go on from there. */
  readonly dir: string;
}

/** What `takePrefix` gives. */
export interface Prefix {
  /** The longest state to go on from; absent where there is none. */
  readonly earlier?: EarlierState;
  /**
   * An empty folder for all that a longer run needs to go on exactly. It is stored with the outputs, and only if `run`
   * resolves; left empty, nothing is. Absent where nothing would be kept.
   */
  readonly keep?: string;
}
