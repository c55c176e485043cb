export { cleanRowText, cleanText, duplicateKey, idOf } from './clean.ts';
export type { CleanOptions, DropReason } from './clean.ts';
export {
  digestRows,
  readDataset,
  readRows,
  readTestSplit,
  sealTestSplit,
  writeHeader,
  writeRows,
} from './dataset.ts';
export type { Dataset, DatasetHeader, DatasetSplit } from './dataset.ts';
export { dropDuplicates, keyOf } from './duplicates.ts';
export type { DuplicateResult } from './duplicates.ts';
export { findLeaks, groupNear, groupRows } from './groups.ts';
export type { Leak, RowGroups } from './groups.ts';
export { ChatTemplateError, openChatTemplate } from './language/chat-template.ts';
export type { ChatTemplate } from './language/chat-template.ts';
export { ignoredLabel, makeLanguageEncoder } from './language/encode-language.ts';
export type { EncodedLanguage, LanguageEncoder } from './language/encode-language.ts';
export { compareEncoders, recordEncoder } from './language/encoder-record.ts';
export type { EncoderRecord } from './language/encoder-record.ts';
export { countLabels, findLabelTwins, findUnlearnableLabels } from './labels.ts';
export type { LabelGap, LabelTwins } from './labels.ts';
export { checkQuality } from './quality/checks.ts';
export { FoundPlaces, formatQuality, makeFinding, summarizeLengths } from './quality/report.ts';
export type { LengthSummary, QualityFinding, QualityPlace, QualityReport } from './quality/report.ts';
export { formatConversation, readConversation } from './readers/chat.ts';
export { parseEmail } from './readers/email.ts';
export { stripHtml } from './readers/html.ts';
export { readSource } from './readers/read-source.ts';
export type { SourceFormat } from './readers/files.ts';
export type { ReadOptions, SourceSummary } from './readers/read-source.ts';
export { detectShape, formatVerdict, isChatShape } from './readers/shape.ts';
export type { ShapeVerdict } from './readers/shape.ts';
export type { TextUnit } from './readers/text-file.ts';
export { removeRepeatedLines } from './repeated-lines.ts';
export type { RepeatedLines } from './repeated-lines.ts';
export type {
  ChatMessage,
  FieldNames,
  JsonObject,
  RawRow,
  Row,
  RowBatch,
  RowPlace,
  RowProblem,
  RowShape,
  TokenRow,
} from './row.ts';
export { sampleIndices } from './sample.ts';
export type { Limit } from './sample.ts';
export { askedOf, copySealedKeys, readSealedKeys, sealedKeyOf, writeSealedKeys } from './sealed-keys.ts';
export { makeRandom, shuffle, splitItems } from './split.ts';
export type { SplitItem, SplitName, SplitShares } from './split.ts';
export { DigestIndex } from './store/digest-index.ts';
export { forEachRow } from './store/for-each-row.ts';
export type { Pace } from './store/for-each-row.ts';
export { RowTable, kindOf, textLengthOf } from './store/row-table.ts';
export { openTokenizer } from './tokenizer.ts';
export type { EncodedText, Tokenizer } from './tokenizer.ts';
