import { create, createFileRegistry, fromBinary, toBinary, type DescMessage } from '@bufbuild/protobuf';
import { FieldDescriptorProto_Label, FieldDescriptorProto_Type, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { type CellChange } from '@oddswire/web/changes';

/** One frame's changes as somebody would send them who has no state engine: every changed value in full. */
export interface Update {
  readonly market: string;
  readonly revision: number;
  readonly cells: readonly { readonly selection: number; readonly field: string; readonly price: number; readonly value: number }[];
}

export function updateOf(revision: number, changes: readonly CellChange[]): Update {
  return {
    market: changes[0]!.market.id,
    revision,
    cells: changes.map(({ selection, field, price, to }) => ({ selection: Number(selection?.id ?? 0), field, price: price ?? 0, value: to ?? 0 })),
  };
}

const { OPTIONAL, REPEATED } = FieldDescriptorProto_Label;
const { STRING, UINT32, UINT64, DOUBLE, MESSAGE } = FieldDescriptorProto_Type;

/** The same as a protobuf message, with field codes in place of names. */
const registry = createFileRegistry(
  create(FileDescriptorProtoSchema, {
    name: 'update.proto',
    package: 'bench',
    syntax: 'proto3',
    messageType: [
      {
        name: 'Cell',
        field: [
          { name: 'selection', number: 1, type: UINT32, label: OPTIONAL },
          { name: 'field', number: 2, type: STRING, label: OPTIONAL },
          { name: 'price', number: 3, type: DOUBLE, label: OPTIONAL },
          { name: 'value', number: 4, type: DOUBLE, label: OPTIONAL },
        ],
      },
      {
        name: 'Update',
        field: [
          { name: 'market', number: 1, type: STRING, label: OPTIONAL },
          { name: 'revision', number: 2, type: UINT64, label: OPTIONAL },
          { name: 'cells', number: 3, type: MESSAGE, typeName: '.bench.Cell', label: REPEATED },
        ],
      },
    ],
  }),
  () => undefined,
);
const schema = registry.getMessage('bench.Update') as DescMessage;

export function toProtobuf(update: Update): Uint8Array {
  return toBinary(schema, create(schema, { ...update, revision: BigInt(update.revision) } as never));
}

export function fromProtobuf(bytes: Uint8Array): unknown {
  return fromBinary(schema, bytes);
}
