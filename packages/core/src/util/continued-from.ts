/** The shorter run of a step that a result went on from. */
export interface ContinuedFrom {
  /** How much the shorter run was asked for. */
  readonly extent: number;
  /** One of what the extent counts, such as `epoch`. */
  readonly unit: string;
  /** The run that left its state. */
  readonly runId: string;
  /** The result of the step in that run. */
  readonly fingerprint: string;
}

/** Such as `epoch 3 of run 20260201-101112000-0a1b2c`. */
export const formatContinuedFrom = ({
  extent,
  unit,
  runId,
}: Pick<ContinuedFrom, 'extent' | 'unit' | 'runId'>): string => `${unit} ${extent} of run ${runId}`;
