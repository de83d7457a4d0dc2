import * as $protobuf from "protobufjs/minimal.js";
import Long = require("long");

/** Namespace resultity. */
export namespace resultity {

    /** Namespace blob. */
    namespace blob {

        /** Namespace v1. */
        namespace v1 {

            /**
             * Properties of a BlobRequest.
             * @deprecated Use resultity.blob.v1.BlobRequest.$Properties instead.
             */
            interface IBlobRequest extends resultity.blob.v1.BlobRequest.$Properties {
            }

            /** Represents a BlobRequest. */
            class BlobRequest {

                /**
                 * Constructs a new BlobRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.blob.v1.BlobRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BlobRequest protocolVersion. */
                protocolVersion: number;

                /** BlobRequest sha256. */
                sha256: Uint8Array;

                /** BlobRequest offset. */
                offset: (number|Long);

                /**
                 * Encodes the specified BlobRequest message. Does not implicitly {@link resultity.blob.v1.BlobRequest.verify|verify} messages.
                 * @param message BlobRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.blob.v1.BlobRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BlobRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.blob.v1.BlobRequest & resultity.blob.v1.BlobRequest.$Shape} BlobRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.blob.v1.BlobRequest & resultity.blob.v1.BlobRequest.$Shape;
            }

            namespace BlobRequest {

                /** Properties of a BlobRequest. */
                interface $Properties {

                    /** BlobRequest protocolVersion */
                    protocolVersion?: (number|null);

                    /** BlobRequest sha256 */
                    sha256?: (Uint8Array|null);

                    /** BlobRequest offset */
                    offset?: (number|Long|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a BlobRequest. */
                type $Shape = resultity.blob.v1.BlobRequest.$Properties;
            }

            /**
             * Properties of a BlobResponse.
             * @deprecated Use resultity.blob.v1.BlobResponse.$Properties instead.
             */
            interface IBlobResponse extends resultity.blob.v1.BlobResponse.$Properties {
            }

            /** Represents a BlobResponse. */
            class BlobResponse {

                /**
                 * Constructs a new BlobResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.blob.v1.BlobResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BlobResponse header. */
                header?: (resultity.blob.v1.BlobHeader.$Properties|null);

                /** BlobResponse chunk. */
                chunk?: (Uint8Array|null);

                /** BlobResponse error. */
                error?: (resultity.common.v1.Error.$Properties|null);

                /** BlobResponse body. */
                body?: ("header"|"chunk"|"error");

                /**
                 * Encodes the specified BlobResponse message. Does not implicitly {@link resultity.blob.v1.BlobResponse.verify|verify} messages.
                 * @param message BlobResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.blob.v1.BlobResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BlobResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.blob.v1.BlobResponse & resultity.blob.v1.BlobResponse.$Shape} BlobResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.blob.v1.BlobResponse & resultity.blob.v1.BlobResponse.$Shape;
            }

            namespace BlobResponse {

                /** Properties of a BlobResponse. */
                interface $Properties {

                    /** BlobResponse header */
                    header?: (resultity.blob.v1.BlobHeader.$Properties|null);

                    /** BlobResponse chunk */
                    chunk?: (Uint8Array|null);

                    /** BlobResponse error */
                    error?: (resultity.common.v1.Error.$Properties|null);

                    /** BlobResponse body */
                    body?: ("header"|"chunk"|"error");

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Narrowed shape of a BlobResponse. */
                type $Shape = {
                  header?: resultity.blob.v1.BlobHeader.$Shape|null;
                  chunk?: Uint8Array|null;
                  error?: resultity.common.v1.Error.$Shape|null;
                  $unknowns?: Uint8Array[];
                } & (
                  ({ body?: undefined; header?: null; chunk?: null; error?: null }|{ body?: "header"; header: resultity.blob.v1.BlobHeader.$Shape; chunk?: null; error?: null }|{ body?: "chunk"; header?: null; chunk: Uint8Array; error?: null }|{ body?: "error"; header?: null; chunk?: null; error: resultity.common.v1.Error.$Shape })
                );
            }

            /**
             * Properties of a BlobHeader.
             * @deprecated Use resultity.blob.v1.BlobHeader.$Properties instead.
             */
            interface IBlobHeader extends resultity.blob.v1.BlobHeader.$Properties {
            }

            /** Represents a BlobHeader. */
            class BlobHeader {

                /**
                 * Constructs a new BlobHeader.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.blob.v1.BlobHeader.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BlobHeader totalBytes. */
                totalBytes: (number|Long);

                /**
                 * Encodes the specified BlobHeader message. Does not implicitly {@link resultity.blob.v1.BlobHeader.verify|verify} messages.
                 * @param message BlobHeader message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.blob.v1.BlobHeader.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BlobHeader message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.blob.v1.BlobHeader & resultity.blob.v1.BlobHeader.$Shape} BlobHeader
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.blob.v1.BlobHeader & resultity.blob.v1.BlobHeader.$Shape;
            }

            namespace BlobHeader {

                /** Properties of a BlobHeader. */
                interface $Properties {

                    /** BlobHeader totalBytes */
                    totalBytes?: (number|Long|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a BlobHeader. */
                type $Shape = resultity.blob.v1.BlobHeader.$Properties;
            }
        }
    }

    /** Namespace common. */
    namespace common {

        /** Namespace v1. */
        namespace v1 {

            /** WorkClass enum. */
            enum WorkClass {

                /** INTERACTIVE value */
                INTERACTIVE = 0,

                /** BATCH value */
                BATCH = 1
            }

            /**
             * Properties of an Error.
             * @deprecated Use resultity.common.v1.Error.$Properties instead.
             */
            interface IError extends resultity.common.v1.Error.$Properties {
            }

            /** Represents an Error. */
            class Error {

                /**
                 * Constructs a new Error.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.common.v1.Error.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Error code. */
                code: string;

                /** Error message. */
                message: string;

                /** Error hint. */
                hint: string;

                /**
                 * Encodes the specified Error message. Does not implicitly {@link resultity.common.v1.Error.verify|verify} messages.
                 * @param message Error message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.common.v1.Error.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an Error message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.common.v1.Error & resultity.common.v1.Error.$Shape} Error
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.common.v1.Error & resultity.common.v1.Error.$Shape;
            }

            namespace Error {

                /** Properties of an Error. */
                interface $Properties {

                    /** Error code */
                    code?: (string|null);

                    /** Error message */
                    message?: (string|null);

                    /** Error hint */
                    hint?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an Error. */
                type $Shape = resultity.common.v1.Error.$Properties;
            }
        }
    }

    /** Namespace job. */
    namespace job {

        /** Namespace v1. */
        namespace v1 {

            /**
             * Properties of a JobRequest.
             * @deprecated Use resultity.job.v1.JobRequest.$Properties instead.
             */
            interface IJobRequest extends resultity.job.v1.JobRequest.$Properties {
            }

            /** Represents a JobRequest. */
            class JobRequest {

                /**
                 * Constructs a new JobRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.job.v1.JobRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** JobRequest protocolVersion. */
                protocolVersion: number;

                /** JobRequest jobId. */
                jobId: string;

                /** JobRequest attempt. */
                attempt: number;

                /** JobRequest endpoint. */
                endpoint: string;

                /** JobRequest model. */
                model: string;

                /** JobRequest manifestSha256. */
                manifestSha256: Uint8Array;

                /** JobRequest body. */
                body: Uint8Array;

                /** JobRequest deadlineMs. */
                deadlineMs: number;

                /** JobRequest workClass. */
                workClass: resultity.common.v1.WorkClass;

                /**
                 * Encodes the specified JobRequest message. Does not implicitly {@link resultity.job.v1.JobRequest.verify|verify} messages.
                 * @param message JobRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.job.v1.JobRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a JobRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.job.v1.JobRequest & resultity.job.v1.JobRequest.$Shape} JobRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.job.v1.JobRequest & resultity.job.v1.JobRequest.$Shape;
            }

            namespace JobRequest {

                /** Properties of a JobRequest. */
                interface $Properties {

                    /** JobRequest protocolVersion */
                    protocolVersion?: (number|null);

                    /** JobRequest jobId */
                    jobId?: (string|null);

                    /** JobRequest attempt */
                    attempt?: (number|null);

                    /** JobRequest endpoint */
                    endpoint?: (string|null);

                    /** JobRequest model */
                    model?: (string|null);

                    /** JobRequest manifestSha256 */
                    manifestSha256?: (Uint8Array|null);

                    /** JobRequest body */
                    body?: (Uint8Array|null);

                    /** JobRequest deadlineMs */
                    deadlineMs?: (number|null);

                    /** JobRequest workClass */
                    workClass?: (resultity.common.v1.WorkClass|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a JobRequest. */
                type $Shape = resultity.job.v1.JobRequest.$Properties;
            }

            /**
             * Properties of a JobEvent.
             * @deprecated Use resultity.job.v1.JobEvent.$Properties instead.
             */
            interface IJobEvent extends resultity.job.v1.JobEvent.$Properties {
            }

            /** Represents a JobEvent. */
            class JobEvent {

                /**
                 * Constructs a new JobEvent.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.job.v1.JobEvent.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** JobEvent sequence. */
                sequence: (number|Long);

                /** JobEvent started. */
                started?: (resultity.job.v1.JobStarted.$Properties|null);

                /** JobEvent chunk. */
                chunk?: (Uint8Array|null);

                /** JobEvent result. */
                result?: (Uint8Array|null);

                /** JobEvent error. */
                error?: (resultity.common.v1.Error.$Properties|null);

                /** JobEvent body. */
                body?: ("started"|"chunk"|"result"|"error");

                /**
                 * Encodes the specified JobEvent message. Does not implicitly {@link resultity.job.v1.JobEvent.verify|verify} messages.
                 * @param message JobEvent message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.job.v1.JobEvent.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a JobEvent message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.job.v1.JobEvent & resultity.job.v1.JobEvent.$Shape} JobEvent
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.job.v1.JobEvent & resultity.job.v1.JobEvent.$Shape;
            }

            namespace JobEvent {

                /** Properties of a JobEvent. */
                interface $Properties {

                    /** JobEvent sequence */
                    sequence?: (number|Long|null);

                    /** JobEvent started */
                    started?: (resultity.job.v1.JobStarted.$Properties|null);

                    /** JobEvent chunk */
                    chunk?: (Uint8Array|null);

                    /** JobEvent result */
                    result?: (Uint8Array|null);

                    /** JobEvent error */
                    error?: (resultity.common.v1.Error.$Properties|null);

                    /** JobEvent body */
                    body?: ("started"|"chunk"|"result"|"error");

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Narrowed shape of a JobEvent. */
                type $Shape = {
                  sequence?: number|Long|null;
                  started?: resultity.job.v1.JobStarted.$Shape|null;
                  chunk?: Uint8Array|null;
                  result?: Uint8Array|null;
                  error?: resultity.common.v1.Error.$Shape|null;
                  $unknowns?: Uint8Array[];
                } & (
                  ({ body?: undefined; started?: null; chunk?: null; result?: null; error?: null }|{ body?: "started"; started: resultity.job.v1.JobStarted.$Shape; chunk?: null; result?: null; error?: null }|{ body?: "chunk"; started?: null; chunk: Uint8Array; result?: null; error?: null }|{ body?: "result"; started?: null; chunk?: null; result: Uint8Array; error?: null }|{ body?: "error"; started?: null; chunk?: null; result?: null; error: resultity.common.v1.Error.$Shape })
                );
            }

            /**
             * Properties of a JobStarted.
             * @deprecated Use resultity.job.v1.JobStarted.$Properties instead.
             */
            interface IJobStarted extends resultity.job.v1.JobStarted.$Properties {
            }

            /** Represents a JobStarted. */
            class JobStarted {

                /**
                 * Constructs a new JobStarted.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.job.v1.JobStarted.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /**
                 * Encodes the specified JobStarted message. Does not implicitly {@link resultity.job.v1.JobStarted.verify|verify} messages.
                 * @param message JobStarted message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.job.v1.JobStarted.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a JobStarted message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.job.v1.JobStarted & resultity.job.v1.JobStarted.$Shape} JobStarted
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.job.v1.JobStarted & resultity.job.v1.JobStarted.$Shape;
            }

            namespace JobStarted {

                /** Properties of a JobStarted. */
                interface $Properties {

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a JobStarted. */
                type $Shape = resultity.job.v1.JobStarted.$Properties;
            }
        }
    }

    /** Namespace membership. */
    namespace membership {

        /** Namespace v1. */
        namespace v1 {

            /**
             * Properties of a NodeMessage.
             * @deprecated Use resultity.membership.v1.NodeMessage.$Properties instead.
             */
            interface INodeMessage extends resultity.membership.v1.NodeMessage.$Properties {
            }

            /** Represents a NodeMessage. */
            class NodeMessage {

                /**
                 * Constructs a new NodeMessage.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.NodeMessage.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** NodeMessage hello. */
                hello?: (resultity.membership.v1.Hello.$Properties|null);

                /** NodeMessage heartbeat. */
                heartbeat?: (resultity.membership.v1.Heartbeat.$Properties|null);

                /** NodeMessage assignment. */
                assignment?: (resultity.membership.v1.AssignmentUpdate.$Properties|null);

                /** NodeMessage goodbye. */
                goodbye?: (resultity.membership.v1.Goodbye.$Properties|null);

                /** NodeMessage body. */
                body?: ("hello"|"heartbeat"|"assignment"|"goodbye");

                /**
                 * Encodes the specified NodeMessage message. Does not implicitly {@link resultity.membership.v1.NodeMessage.verify|verify} messages.
                 * @param message NodeMessage message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.NodeMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a NodeMessage message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.NodeMessage & resultity.membership.v1.NodeMessage.$Shape} NodeMessage
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.NodeMessage & resultity.membership.v1.NodeMessage.$Shape;
            }

            namespace NodeMessage {

                /** Properties of a NodeMessage. */
                interface $Properties {

                    /** NodeMessage hello */
                    hello?: (resultity.membership.v1.Hello.$Properties|null);

                    /** NodeMessage heartbeat */
                    heartbeat?: (resultity.membership.v1.Heartbeat.$Properties|null);

                    /** NodeMessage assignment */
                    assignment?: (resultity.membership.v1.AssignmentUpdate.$Properties|null);

                    /** NodeMessage goodbye */
                    goodbye?: (resultity.membership.v1.Goodbye.$Properties|null);

                    /** NodeMessage body */
                    body?: ("hello"|"heartbeat"|"assignment"|"goodbye");

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Narrowed shape of a NodeMessage. */
                type $Shape = {
                  hello?: resultity.membership.v1.Hello.$Shape|null;
                  heartbeat?: resultity.membership.v1.Heartbeat.$Shape|null;
                  assignment?: resultity.membership.v1.AssignmentUpdate.$Shape|null;
                  goodbye?: resultity.membership.v1.Goodbye.$Shape|null;
                  $unknowns?: Uint8Array[];
                } & (
                  ({ body?: undefined; hello?: null; heartbeat?: null; assignment?: null; goodbye?: null }|{ body?: "hello"; hello: resultity.membership.v1.Hello.$Shape; heartbeat?: null; assignment?: null; goodbye?: null }|{ body?: "heartbeat"; hello?: null; heartbeat: resultity.membership.v1.Heartbeat.$Shape; assignment?: null; goodbye?: null }|{ body?: "assignment"; hello?: null; heartbeat?: null; assignment: resultity.membership.v1.AssignmentUpdate.$Shape; goodbye?: null }|{ body?: "goodbye"; hello?: null; heartbeat?: null; assignment?: null; goodbye: resultity.membership.v1.Goodbye.$Shape })
                );
            }

            /**
             * Properties of a CoordinatorMessage.
             * @deprecated Use resultity.membership.v1.CoordinatorMessage.$Properties instead.
             */
            interface ICoordinatorMessage extends resultity.membership.v1.CoordinatorMessage.$Properties {
            }

            /** Represents a CoordinatorMessage. */
            class CoordinatorMessage {

                /**
                 * Constructs a new CoordinatorMessage.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.CoordinatorMessage.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** CoordinatorMessage welcome. */
                welcome?: (resultity.membership.v1.Welcome.$Properties|null);

                /** CoordinatorMessage refused. */
                refused?: (resultity.membership.v1.Refused.$Properties|null);

                /** CoordinatorMessage assign. */
                assign?: (resultity.membership.v1.Assign.$Properties|null);

                /** CoordinatorMessage release. */
                release?: (resultity.membership.v1.Release.$Properties|null);

                /** CoordinatorMessage heartbeatAck. */
                heartbeatAck?: (resultity.membership.v1.HeartbeatAck.$Properties|null);

                /** CoordinatorMessage body. */
                body?: ("welcome"|"refused"|"assign"|"release"|"heartbeatAck");

                /**
                 * Encodes the specified CoordinatorMessage message. Does not implicitly {@link resultity.membership.v1.CoordinatorMessage.verify|verify} messages.
                 * @param message CoordinatorMessage message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.CoordinatorMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CoordinatorMessage message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.CoordinatorMessage & resultity.membership.v1.CoordinatorMessage.$Shape} CoordinatorMessage
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.CoordinatorMessage & resultity.membership.v1.CoordinatorMessage.$Shape;
            }

            namespace CoordinatorMessage {

                /** Properties of a CoordinatorMessage. */
                interface $Properties {

                    /** CoordinatorMessage welcome */
                    welcome?: (resultity.membership.v1.Welcome.$Properties|null);

                    /** CoordinatorMessage refused */
                    refused?: (resultity.membership.v1.Refused.$Properties|null);

                    /** CoordinatorMessage assign */
                    assign?: (resultity.membership.v1.Assign.$Properties|null);

                    /** CoordinatorMessage release */
                    release?: (resultity.membership.v1.Release.$Properties|null);

                    /** CoordinatorMessage heartbeatAck */
                    heartbeatAck?: (resultity.membership.v1.HeartbeatAck.$Properties|null);

                    /** CoordinatorMessage body */
                    body?: ("welcome"|"refused"|"assign"|"release"|"heartbeatAck");

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Narrowed shape of a CoordinatorMessage. */
                type $Shape = {
                  welcome?: resultity.membership.v1.Welcome.$Shape|null;
                  refused?: resultity.membership.v1.Refused.$Shape|null;
                  assign?: resultity.membership.v1.Assign.$Shape|null;
                  release?: resultity.membership.v1.Release.$Shape|null;
                  heartbeatAck?: resultity.membership.v1.HeartbeatAck.$Shape|null;
                  $unknowns?: Uint8Array[];
                } & (
                  ({ body?: undefined; welcome?: null; refused?: null; assign?: null; release?: null; heartbeatAck?: null }|{ body?: "welcome"; welcome: resultity.membership.v1.Welcome.$Shape; refused?: null; assign?: null; release?: null; heartbeatAck?: null }|{ body?: "refused"; welcome?: null; refused: resultity.membership.v1.Refused.$Shape; assign?: null; release?: null; heartbeatAck?: null }|{ body?: "assign"; welcome?: null; refused?: null; assign: resultity.membership.v1.Assign.$Shape; release?: null; heartbeatAck?: null }|{ body?: "release"; welcome?: null; refused?: null; assign?: null; release: resultity.membership.v1.Release.$Shape; heartbeatAck?: null }|{ body?: "heartbeatAck"; welcome?: null; refused?: null; assign?: null; release?: null; heartbeatAck: resultity.membership.v1.HeartbeatAck.$Shape })
                );
            }

            /**
             * Properties of a Hello.
             * @deprecated Use resultity.membership.v1.Hello.$Properties instead.
             */
            interface IHello extends resultity.membership.v1.Hello.$Properties {
            }

            /** Represents a Hello. */
            class Hello {

                /**
                 * Constructs a new Hello.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.Hello.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Hello protocolVersion. */
                protocolVersion: number;

                /** Hello advert. */
                advert: Uint8Array;

                /** Hello invite. */
                invite: string;

                /**
                 * Encodes the specified Hello message. Does not implicitly {@link resultity.membership.v1.Hello.verify|verify} messages.
                 * @param message Hello message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.Hello.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Hello message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.Hello & resultity.membership.v1.Hello.$Shape} Hello
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.Hello & resultity.membership.v1.Hello.$Shape;
            }

            namespace Hello {

                /** Properties of a Hello. */
                interface $Properties {

                    /** Hello protocolVersion */
                    protocolVersion?: (number|null);

                    /** Hello advert */
                    advert?: (Uint8Array|null);

                    /** Hello invite */
                    invite?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Hello. */
                type $Shape = resultity.membership.v1.Hello.$Properties;
            }

            /**
             * Properties of a Welcome.
             * @deprecated Use resultity.membership.v1.Welcome.$Properties instead.
             */
            interface IWelcome extends resultity.membership.v1.Welcome.$Properties {
            }

            /** Represents a Welcome. */
            class Welcome {

                /**
                 * Constructs a new Welcome.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.Welcome.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Welcome protocolVersion. */
                protocolVersion: number;

                /** Welcome heartbeatIntervalMs. */
                heartbeatIntervalMs: number;

                /** Welcome heartbeatMissesMax. */
                heartbeatMissesMax: number;

                /**
                 * Encodes the specified Welcome message. Does not implicitly {@link resultity.membership.v1.Welcome.verify|verify} messages.
                 * @param message Welcome message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.Welcome.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Welcome message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.Welcome & resultity.membership.v1.Welcome.$Shape} Welcome
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.Welcome & resultity.membership.v1.Welcome.$Shape;
            }

            namespace Welcome {

                /** Properties of a Welcome. */
                interface $Properties {

                    /** Welcome protocolVersion */
                    protocolVersion?: (number|null);

                    /** Welcome heartbeatIntervalMs */
                    heartbeatIntervalMs?: (number|null);

                    /** Welcome heartbeatMissesMax */
                    heartbeatMissesMax?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Welcome. */
                type $Shape = resultity.membership.v1.Welcome.$Properties;
            }

            /**
             * Properties of a Refused.
             * @deprecated Use resultity.membership.v1.Refused.$Properties instead.
             */
            interface IRefused extends resultity.membership.v1.Refused.$Properties {
            }

            /** Represents a Refused. */
            class Refused {

                /**
                 * Constructs a new Refused.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.Refused.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Refused error. */
                error?: (resultity.common.v1.Error.$Properties|null);

                /**
                 * Encodes the specified Refused message. Does not implicitly {@link resultity.membership.v1.Refused.verify|verify} messages.
                 * @param message Refused message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.Refused.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Refused message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.Refused & resultity.membership.v1.Refused.$Shape} Refused
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.Refused & resultity.membership.v1.Refused.$Shape;
            }

            namespace Refused {

                /** Properties of a Refused. */
                interface $Properties {

                    /** Refused error */
                    error?: (resultity.common.v1.Error.$Properties|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Refused. */
                type $Shape = resultity.membership.v1.Refused.$Properties;
            }

            /**
             * Properties of a Heartbeat.
             * @deprecated Use resultity.membership.v1.Heartbeat.$Properties instead.
             */
            interface IHeartbeat extends resultity.membership.v1.Heartbeat.$Properties {
            }

            /** Represents a Heartbeat. */
            class Heartbeat {

                /**
                 * Constructs a new Heartbeat.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.Heartbeat.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Heartbeat sequence. */
                sequence: (number|Long);

                /** Heartbeat advert. */
                advert: Uint8Array;

                /**
                 * Encodes the specified Heartbeat message. Does not implicitly {@link resultity.membership.v1.Heartbeat.verify|verify} messages.
                 * @param message Heartbeat message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.Heartbeat.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Heartbeat message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.Heartbeat & resultity.membership.v1.Heartbeat.$Shape} Heartbeat
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.Heartbeat & resultity.membership.v1.Heartbeat.$Shape;
            }

            namespace Heartbeat {

                /** Properties of a Heartbeat. */
                interface $Properties {

                    /** Heartbeat sequence */
                    sequence?: (number|Long|null);

                    /** Heartbeat advert */
                    advert?: (Uint8Array|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Heartbeat. */
                type $Shape = resultity.membership.v1.Heartbeat.$Properties;
            }

            /**
             * Properties of a HeartbeatAck.
             * @deprecated Use resultity.membership.v1.HeartbeatAck.$Properties instead.
             */
            interface IHeartbeatAck extends resultity.membership.v1.HeartbeatAck.$Properties {
            }

            /** Represents a HeartbeatAck. */
            class HeartbeatAck {

                /**
                 * Constructs a new HeartbeatAck.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.HeartbeatAck.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** HeartbeatAck sequence. */
                sequence: (number|Long);

                /** HeartbeatAck members. */
                members: string[];

                /**
                 * Encodes the specified HeartbeatAck message. Does not implicitly {@link resultity.membership.v1.HeartbeatAck.verify|verify} messages.
                 * @param message HeartbeatAck message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.HeartbeatAck.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a HeartbeatAck message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.HeartbeatAck & resultity.membership.v1.HeartbeatAck.$Shape} HeartbeatAck
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.HeartbeatAck & resultity.membership.v1.HeartbeatAck.$Shape;
            }

            namespace HeartbeatAck {

                /** Properties of a HeartbeatAck. */
                interface $Properties {

                    /** HeartbeatAck sequence */
                    sequence?: (number|Long|null);

                    /** HeartbeatAck members */
                    members?: (string[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a HeartbeatAck. */
                type $Shape = resultity.membership.v1.HeartbeatAck.$Properties;
            }

            /**
             * Properties of a Goodbye.
             * @deprecated Use resultity.membership.v1.Goodbye.$Properties instead.
             */
            interface IGoodbye extends resultity.membership.v1.Goodbye.$Properties {
            }

            /** Represents a Goodbye. */
            class Goodbye {

                /**
                 * Constructs a new Goodbye.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.Goodbye.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Goodbye reason. */
                reason: string;

                /**
                 * Encodes the specified Goodbye message. Does not implicitly {@link resultity.membership.v1.Goodbye.verify|verify} messages.
                 * @param message Goodbye message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.Goodbye.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Goodbye message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.Goodbye & resultity.membership.v1.Goodbye.$Shape} Goodbye
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.Goodbye & resultity.membership.v1.Goodbye.$Shape;
            }

            namespace Goodbye {

                /** Properties of a Goodbye. */
                interface $Properties {

                    /** Goodbye reason */
                    reason?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Goodbye. */
                type $Shape = resultity.membership.v1.Goodbye.$Properties;
            }

            /**
             * Properties of an Assign.
             * @deprecated Use resultity.membership.v1.Assign.$Properties instead.
             */
            interface IAssign extends resultity.membership.v1.Assign.$Properties {
            }

            /** Represents an Assign. */
            class Assign {

                /**
                 * Constructs a new Assign.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.Assign.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Assign placementId. */
                placementId: string;

                /** Assign model. */
                model: string;

                /** Assign manifestSha256. */
                manifestSha256: Uint8Array;

                /** Assign manifestBytes. */
                manifestBytes: (number|Long);

                /** Assign first. */
                first: number;

                /** Assign end. */
                end: number;

                /** Assign contextLength. */
                contextLength: number;

                /** Assign sessionsMax. */
                sessionsMax: number;

                /** Assign sources. */
                sources: resultity.membership.v1.BlobSource.$Properties[];

                /** Assign activationType. */
                activationType: resultity.membership.v1.ActivationType;

                /** Assign next. */
                next?: (resultity.membership.v1.NextStage.$Properties|null);

                /** Assign previousPeer. */
                previousPeer: string;

                /** Assign contents. */
                contents: resultity.membership.v1.FileContent.$Properties[];

                /**
                 * Encodes the specified Assign message. Does not implicitly {@link resultity.membership.v1.Assign.verify|verify} messages.
                 * @param message Assign message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.Assign.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an Assign message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.Assign & resultity.membership.v1.Assign.$Shape} Assign
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.Assign & resultity.membership.v1.Assign.$Shape;
            }

            namespace Assign {

                /** Properties of an Assign. */
                interface $Properties {

                    /** Assign placementId */
                    placementId?: (string|null);

                    /** Assign model */
                    model?: (string|null);

                    /** Assign manifestSha256 */
                    manifestSha256?: (Uint8Array|null);

                    /** Assign manifestBytes */
                    manifestBytes?: (number|Long|null);

                    /** Assign first */
                    first?: (number|null);

                    /** Assign end */
                    end?: (number|null);

                    /** Assign contextLength */
                    contextLength?: (number|null);

                    /** Assign sessionsMax */
                    sessionsMax?: (number|null);

                    /** Assign sources */
                    sources?: (resultity.membership.v1.BlobSource.$Properties[]|null);

                    /** Assign activationType */
                    activationType?: (resultity.membership.v1.ActivationType|null);

                    /** Assign next */
                    next?: (resultity.membership.v1.NextStage.$Properties|null);

                    /** Assign previousPeer */
                    previousPeer?: (string|null);

                    /** Assign contents */
                    contents?: (resultity.membership.v1.FileContent.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an Assign. */
                type $Shape = resultity.membership.v1.Assign.$Properties;
            }

            /**
             * Properties of a FileContent.
             * @deprecated Use resultity.membership.v1.FileContent.$Properties instead.
             */
            interface IFileContent extends resultity.membership.v1.FileContent.$Properties {
            }

            /** Represents a FileContent. */
            class FileContent {

                /**
                 * Constructs a new FileContent.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.FileContent.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** FileContent file. */
                file: Uint8Array;

                /** FileContent sha256. */
                sha256: Uint8Array;

                /** FileContent verified. */
                verified: boolean;

                /**
                 * Encodes the specified FileContent message. Does not implicitly {@link resultity.membership.v1.FileContent.verify|verify} messages.
                 * @param message FileContent message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.FileContent.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a FileContent message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.FileContent & resultity.membership.v1.FileContent.$Shape} FileContent
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.FileContent & resultity.membership.v1.FileContent.$Shape;
            }

            namespace FileContent {

                /** Properties of a FileContent. */
                interface $Properties {

                    /** FileContent file */
                    file?: (Uint8Array|null);

                    /** FileContent sha256 */
                    sha256?: (Uint8Array|null);

                    /** FileContent verified */
                    verified?: (boolean|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a FileContent. */
                type $Shape = resultity.membership.v1.FileContent.$Properties;
            }

            /**
             * Properties of a NextStage.
             * @deprecated Use resultity.membership.v1.NextStage.$Properties instead.
             */
            interface INextStage extends resultity.membership.v1.NextStage.$Properties {
            }

            /** Represents a NextStage. */
            class NextStage {

                /**
                 * Constructs a new NextStage.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.NextStage.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** NextStage peerId. */
                peerId: string;

                /** NextStage multiaddrs. */
                multiaddrs: string[];

                /**
                 * Encodes the specified NextStage message. Does not implicitly {@link resultity.membership.v1.NextStage.verify|verify} messages.
                 * @param message NextStage message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.NextStage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a NextStage message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.NextStage & resultity.membership.v1.NextStage.$Shape} NextStage
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.NextStage & resultity.membership.v1.NextStage.$Shape;
            }

            namespace NextStage {

                /** Properties of a NextStage. */
                interface $Properties {

                    /** NextStage peerId */
                    peerId?: (string|null);

                    /** NextStage multiaddrs */
                    multiaddrs?: (string[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a NextStage. */
                type $Shape = resultity.membership.v1.NextStage.$Properties;
            }

            /** ActivationType enum. */
            enum ActivationType {

                /** F32 value */
                F32 = 0
            }

            /**
             * Properties of a BlobSource.
             * @deprecated Use resultity.membership.v1.BlobSource.$Properties instead.
             */
            interface IBlobSource extends resultity.membership.v1.BlobSource.$Properties {
            }

            /** Represents a BlobSource. */
            class BlobSource {

                /**
                 * Constructs a new BlobSource.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.BlobSource.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BlobSource peerId. */
                peerId: string;

                /** BlobSource multiaddrs. */
                multiaddrs: string[];

                /**
                 * Encodes the specified BlobSource message. Does not implicitly {@link resultity.membership.v1.BlobSource.verify|verify} messages.
                 * @param message BlobSource message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.BlobSource.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BlobSource message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.BlobSource & resultity.membership.v1.BlobSource.$Shape} BlobSource
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.BlobSource & resultity.membership.v1.BlobSource.$Shape;
            }

            namespace BlobSource {

                /** Properties of a BlobSource. */
                interface $Properties {

                    /** BlobSource peerId */
                    peerId?: (string|null);

                    /** BlobSource multiaddrs */
                    multiaddrs?: (string[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a BlobSource. */
                type $Shape = resultity.membership.v1.BlobSource.$Properties;
            }

            /**
             * Properties of an AssignmentUpdate.
             * @deprecated Use resultity.membership.v1.AssignmentUpdate.$Properties instead.
             */
            interface IAssignmentUpdate extends resultity.membership.v1.AssignmentUpdate.$Properties {
            }

            /** Represents an AssignmentUpdate. */
            class AssignmentUpdate {

                /**
                 * Constructs a new AssignmentUpdate.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.AssignmentUpdate.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** AssignmentUpdate placementId. */
                placementId: string;

                /** AssignmentUpdate state. */
                state: resultity.membership.v1.AssignmentUpdate.State;

                /** AssignmentUpdate bytesDone. */
                bytesDone: (number|Long);

                /** AssignmentUpdate bytesTotal. */
                bytesTotal: (number|Long);

                /** AssignmentUpdate decodeMsPerLayer. */
                decodeMsPerLayer: number;

                /** AssignmentUpdate prefillMsPerPositionLayer. */
                prefillMsPerPositionLayer: number;

                /** AssignmentUpdate fixedDecodeMs. */
                fixedDecodeMs: number;

                /** AssignmentUpdate memoryBytes. */
                memoryBytes: (number|Long);

                /** AssignmentUpdate error. */
                error?: (resultity.common.v1.Error.$Properties|null);

                /** AssignmentUpdate selfTestSha256. */
                selfTestSha256: Uint8Array;

                /** AssignmentUpdate contents. */
                contents: resultity.membership.v1.FileContent.$Properties[];

                /** AssignmentUpdate unreachedPeer. */
                unreachedPeer: string;

                /**
                 * Encodes the specified AssignmentUpdate message. Does not implicitly {@link resultity.membership.v1.AssignmentUpdate.verify|verify} messages.
                 * @param message AssignmentUpdate message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.AssignmentUpdate.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an AssignmentUpdate message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.AssignmentUpdate & resultity.membership.v1.AssignmentUpdate.$Shape} AssignmentUpdate
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.AssignmentUpdate & resultity.membership.v1.AssignmentUpdate.$Shape;
            }

            namespace AssignmentUpdate {

                /** Properties of an AssignmentUpdate. */
                interface $Properties {

                    /** AssignmentUpdate placementId */
                    placementId?: (string|null);

                    /** AssignmentUpdate state */
                    state?: (resultity.membership.v1.AssignmentUpdate.State|null);

                    /** AssignmentUpdate bytesDone */
                    bytesDone?: (number|Long|null);

                    /** AssignmentUpdate bytesTotal */
                    bytesTotal?: (number|Long|null);

                    /** AssignmentUpdate decodeMsPerLayer */
                    decodeMsPerLayer?: (number|null);

                    /** AssignmentUpdate prefillMsPerPositionLayer */
                    prefillMsPerPositionLayer?: (number|null);

                    /** AssignmentUpdate fixedDecodeMs */
                    fixedDecodeMs?: (number|null);

                    /** AssignmentUpdate memoryBytes */
                    memoryBytes?: (number|Long|null);

                    /** AssignmentUpdate error */
                    error?: (resultity.common.v1.Error.$Properties|null);

                    /** AssignmentUpdate selfTestSha256 */
                    selfTestSha256?: (Uint8Array|null);

                    /** AssignmentUpdate contents */
                    contents?: (resultity.membership.v1.FileContent.$Properties[]|null);

                    /** AssignmentUpdate unreachedPeer */
                    unreachedPeer?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an AssignmentUpdate. */
                type $Shape = resultity.membership.v1.AssignmentUpdate.$Properties;

                /** State enum. */
                enum State {

                    /** UNKNOWN value */
                    UNKNOWN = 0,

                    /** FETCHING value */
                    FETCHING = 1,

                    /** BUILDING value */
                    BUILDING = 2,

                    /** TESTING value */
                    TESTING = 3,

                    /** READY value */
                    READY = 4,

                    /** FAILED value */
                    FAILED = 5,

                    /** RELEASED value */
                    RELEASED = 6,

                    /** LINKING value */
                    LINKING = 7
                }
            }

            /**
             * Properties of a Release.
             * @deprecated Use resultity.membership.v1.Release.$Properties instead.
             */
            interface IRelease extends resultity.membership.v1.Release.$Properties {
            }

            /** Represents a Release. */
            class Release {

                /**
                 * Constructs a new Release.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.membership.v1.Release.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Release placementId. */
                placementId: string;

                /** Release reason. */
                reason: string;

                /**
                 * Encodes the specified Release message. Does not implicitly {@link resultity.membership.v1.Release.verify|verify} messages.
                 * @param message Release message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.membership.v1.Release.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Release message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.membership.v1.Release & resultity.membership.v1.Release.$Shape} Release
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.membership.v1.Release & resultity.membership.v1.Release.$Shape;
            }

            namespace Release {

                /** Properties of a Release. */
                interface $Properties {

                    /** Release placementId */
                    placementId?: (string|null);

                    /** Release reason */
                    reason?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Release. */
                type $Shape = resultity.membership.v1.Release.$Properties;
            }
        }
    }

    /** Namespace stage. */
    namespace stage {

        /** Namespace v1. */
        namespace v1 {

            /**
             * Properties of a StageFrame.
             * @deprecated Use resultity.stage.v1.StageFrame.$Properties instead.
             */
            interface IStageFrame extends resultity.stage.v1.StageFrame.$Properties {
            }

            /** Represents a StageFrame. */
            class StageFrame {

                /**
                 * Constructs a new StageFrame.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.StageFrame.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** StageFrame open. */
                open?: (resultity.stage.v1.OpenSession.$Properties|null);

                /** StageFrame opened. */
                opened?: (resultity.stage.v1.SessionOpened.$Properties|null);

                /** StageFrame join. */
                join?: (resultity.stage.v1.JoinHop.$Properties|null);

                /** StageFrame prompt. */
                prompt?: (resultity.stage.v1.Prompt.$Properties|null);

                /** StageFrame activations. */
                activations?: (resultity.stage.v1.Activations.$Properties|null);

                /** StageFrame next. */
                next?: (resultity.stage.v1.NextToken.$Properties|null);

                /** StageFrame sampled. */
                sampled?: (resultity.stage.v1.Sampled.$Properties|null);

                /** StageFrame close. */
                close?: (resultity.stage.v1.CloseSession.$Properties|null);

                /** StageFrame fault. */
                fault?: (resultity.stage.v1.Fault.$Properties|null);

                /** StageFrame scores. */
                scores?: (resultity.stage.v1.PromptScores.$Properties|null);

                /** StageFrame replayed. */
                replayed?: (resultity.stage.v1.Replayed.$Properties|null);

                /** StageFrame probe. */
                probe?: (resultity.stage.v1.Probe.$Properties|null);

                /** StageFrame probeAck. */
                probeAck?: (resultity.stage.v1.ProbeAck.$Properties|null);

                /** StageFrame hopAck. */
                hopAck?: (resultity.stage.v1.HopAck.$Properties|null);

                /** StageFrame linkFault. */
                linkFault?: (resultity.stage.v1.LinkFault.$Properties|null);

                /** StageFrame tryHop. */
                tryHop?: (resultity.stage.v1.TryHop.$Properties|null);

                /** StageFrame hopTried. */
                hopTried?: (resultity.stage.v1.HopTried.$Properties|null);

                /** StageFrame resume. */
                resume?: (resultity.stage.v1.Resume.$Properties|null);

                /** StageFrame piece. */
                piece?: (resultity.stage.v1.Piece.$Properties|null);

                /** StageFrame body. */
                body?: ("open"|"opened"|"join"|"prompt"|"activations"|"next"|"sampled"|"close"|"fault"|"scores"|"replayed"|"probe"|"probeAck"|"hopAck"|"linkFault"|"tryHop"|"hopTried"|"resume"|"piece");

                /**
                 * Encodes the specified StageFrame message. Does not implicitly {@link resultity.stage.v1.StageFrame.verify|verify} messages.
                 * @param message StageFrame message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.StageFrame.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a StageFrame message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.StageFrame & resultity.stage.v1.StageFrame.$Shape} StageFrame
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.StageFrame & resultity.stage.v1.StageFrame.$Shape;
            }

            namespace StageFrame {

                /** Properties of a StageFrame. */
                interface $Properties {

                    /** StageFrame open */
                    open?: (resultity.stage.v1.OpenSession.$Properties|null);

                    /** StageFrame opened */
                    opened?: (resultity.stage.v1.SessionOpened.$Properties|null);

                    /** StageFrame join */
                    join?: (resultity.stage.v1.JoinHop.$Properties|null);

                    /** StageFrame prompt */
                    prompt?: (resultity.stage.v1.Prompt.$Properties|null);

                    /** StageFrame activations */
                    activations?: (resultity.stage.v1.Activations.$Properties|null);

                    /** StageFrame next */
                    next?: (resultity.stage.v1.NextToken.$Properties|null);

                    /** StageFrame sampled */
                    sampled?: (resultity.stage.v1.Sampled.$Properties|null);

                    /** StageFrame close */
                    close?: (resultity.stage.v1.CloseSession.$Properties|null);

                    /** StageFrame fault */
                    fault?: (resultity.stage.v1.Fault.$Properties|null);

                    /** StageFrame scores */
                    scores?: (resultity.stage.v1.PromptScores.$Properties|null);

                    /** StageFrame replayed */
                    replayed?: (resultity.stage.v1.Replayed.$Properties|null);

                    /** StageFrame probe */
                    probe?: (resultity.stage.v1.Probe.$Properties|null);

                    /** StageFrame probeAck */
                    probeAck?: (resultity.stage.v1.ProbeAck.$Properties|null);

                    /** StageFrame hopAck */
                    hopAck?: (resultity.stage.v1.HopAck.$Properties|null);

                    /** StageFrame linkFault */
                    linkFault?: (resultity.stage.v1.LinkFault.$Properties|null);

                    /** StageFrame tryHop */
                    tryHop?: (resultity.stage.v1.TryHop.$Properties|null);

                    /** StageFrame hopTried */
                    hopTried?: (resultity.stage.v1.HopTried.$Properties|null);

                    /** StageFrame resume */
                    resume?: (resultity.stage.v1.Resume.$Properties|null);

                    /** StageFrame piece */
                    piece?: (resultity.stage.v1.Piece.$Properties|null);

                    /** StageFrame body */
                    body?: ("open"|"opened"|"join"|"prompt"|"activations"|"next"|"sampled"|"close"|"fault"|"scores"|"replayed"|"probe"|"probeAck"|"hopAck"|"linkFault"|"tryHop"|"hopTried"|"resume"|"piece");

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Narrowed shape of a StageFrame. */
                type $Shape = {
                  open?: resultity.stage.v1.OpenSession.$Shape|null;
                  opened?: resultity.stage.v1.SessionOpened.$Shape|null;
                  join?: resultity.stage.v1.JoinHop.$Shape|null;
                  prompt?: resultity.stage.v1.Prompt.$Shape|null;
                  activations?: resultity.stage.v1.Activations.$Shape|null;
                  next?: resultity.stage.v1.NextToken.$Shape|null;
                  sampled?: resultity.stage.v1.Sampled.$Shape|null;
                  close?: resultity.stage.v1.CloseSession.$Shape|null;
                  fault?: resultity.stage.v1.Fault.$Shape|null;
                  scores?: resultity.stage.v1.PromptScores.$Shape|null;
                  replayed?: resultity.stage.v1.Replayed.$Shape|null;
                  probe?: resultity.stage.v1.Probe.$Shape|null;
                  probeAck?: resultity.stage.v1.ProbeAck.$Shape|null;
                  hopAck?: resultity.stage.v1.HopAck.$Shape|null;
                  linkFault?: resultity.stage.v1.LinkFault.$Shape|null;
                  tryHop?: resultity.stage.v1.TryHop.$Shape|null;
                  hopTried?: resultity.stage.v1.HopTried.$Shape|null;
                  resume?: resultity.stage.v1.Resume.$Shape|null;
                  piece?: resultity.stage.v1.Piece.$Shape|null;
                  $unknowns?: Uint8Array[];
                } & (
                  ({ body?: undefined; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "open"; open: resultity.stage.v1.OpenSession.$Shape; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "opened"; open?: null; opened: resultity.stage.v1.SessionOpened.$Shape; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "join"; open?: null; opened?: null; join: resultity.stage.v1.JoinHop.$Shape; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "prompt"; open?: null; opened?: null; join?: null; prompt: resultity.stage.v1.Prompt.$Shape; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "activations"; open?: null; opened?: null; join?: null; prompt?: null; activations: resultity.stage.v1.Activations.$Shape; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "next"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next: resultity.stage.v1.NextToken.$Shape; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "sampled"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled: resultity.stage.v1.Sampled.$Shape; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "close"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close: resultity.stage.v1.CloseSession.$Shape; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "fault"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault: resultity.stage.v1.Fault.$Shape; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "scores"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores: resultity.stage.v1.PromptScores.$Shape; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "replayed"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed: resultity.stage.v1.Replayed.$Shape; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "probe"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe: resultity.stage.v1.Probe.$Shape; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "probeAck"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck: resultity.stage.v1.ProbeAck.$Shape; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "hopAck"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck: resultity.stage.v1.HopAck.$Shape; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "linkFault"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault: resultity.stage.v1.LinkFault.$Shape; tryHop?: null; hopTried?: null; resume?: null; piece?: null }|{ body?: "tryHop"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop: resultity.stage.v1.TryHop.$Shape; hopTried?: null; resume?: null; piece?: null }|{ body?: "hopTried"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried: resultity.stage.v1.HopTried.$Shape; resume?: null; piece?: null }|{ body?: "resume"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume: resultity.stage.v1.Resume.$Shape; piece?: null }|{ body?: "piece"; open?: null; opened?: null; join?: null; prompt?: null; activations?: null; next?: null; sampled?: null; close?: null; fault?: null; scores?: null; replayed?: null; probe?: null; probeAck?: null; hopAck?: null; linkFault?: null; tryHop?: null; hopTried?: null; resume?: null; piece: resultity.stage.v1.Piece.$Shape })
                );
            }

            /**
             * Properties of an OpenSession.
             * @deprecated Use resultity.stage.v1.OpenSession.$Properties instead.
             */
            interface IOpenSession extends resultity.stage.v1.OpenSession.$Properties {
            }

            /** Represents an OpenSession. */
            class OpenSession {

                /**
                 * Constructs a new OpenSession.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.OpenSession.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** OpenSession protocolVersion. */
                protocolVersion: number;

                /** OpenSession session. */
                session: Uint8Array;

                /** OpenSession epoch. */
                epoch: number;

                /** OpenSession placementId. */
                placementId: string;

                /** OpenSession first. */
                first: number;

                /** OpenSession end. */
                end: number;

                /** OpenSession next. */
                next?: (resultity.stage.v1.Hop.$Properties|null);

                /** OpenSession previousPeer. */
                previousPeer: string;

                /** OpenSession promptCount. */
                promptCount: number;

                /** OpenSession tokensMax. */
                tokensMax: number;

                /** OpenSession prefillChunk. */
                prefillChunk: number;

                /** OpenSession endTokens. */
                endTokens: number[];

                /** OpenSession sampling. */
                sampling?: (resultity.stage.v1.Sampling.$Properties|null);

                /** OpenSession leaseMs. */
                leaseMs: number;

                /** OpenSession topLogprobs. */
                topLogprobs: number;

                /** OpenSession logprobs. */
                logprobs: boolean;

                /** OpenSession constraint. */
                constraint?: (resultity.stage.v1.Constraint.$Properties|null);

                /** OpenSession promptTokens. */
                promptTokens: number[];

                /** OpenSession promptLogprobs. */
                promptLogprobs: boolean;

                /** OpenSession workClass. */
                workClass: resultity.common.v1.WorkClass;

                /** OpenSession tellWithinMs. */
                tellWithinMs: number;

                /** OpenSession committed. */
                committed: number[];

                /** OpenSession tokensMin. */
                tokensMin: number;

                /** OpenSession term. */
                term: number;

                /** OpenSession fence. */
                fence: Uint8Array;

                /** OpenSession prefix. */
                prefix: Uint8Array;

                /** OpenSession prefixAfresh. */
                prefixAfresh: boolean;

                /** OpenSession parks. */
                parks: boolean;

                /** OpenSession keepPositions. */
                keepPositions: number;

                /**
                 * Encodes the specified OpenSession message. Does not implicitly {@link resultity.stage.v1.OpenSession.verify|verify} messages.
                 * @param message OpenSession message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.OpenSession.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an OpenSession message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.OpenSession & resultity.stage.v1.OpenSession.$Shape} OpenSession
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.OpenSession & resultity.stage.v1.OpenSession.$Shape;
            }

            namespace OpenSession {

                /** Properties of an OpenSession. */
                interface $Properties {

                    /** OpenSession protocolVersion */
                    protocolVersion?: (number|null);

                    /** OpenSession session */
                    session?: (Uint8Array|null);

                    /** OpenSession epoch */
                    epoch?: (number|null);

                    /** OpenSession placementId */
                    placementId?: (string|null);

                    /** OpenSession first */
                    first?: (number|null);

                    /** OpenSession end */
                    end?: (number|null);

                    /** OpenSession next */
                    next?: (resultity.stage.v1.Hop.$Properties|null);

                    /** OpenSession previousPeer */
                    previousPeer?: (string|null);

                    /** OpenSession promptCount */
                    promptCount?: (number|null);

                    /** OpenSession tokensMax */
                    tokensMax?: (number|null);

                    /** OpenSession prefillChunk */
                    prefillChunk?: (number|null);

                    /** OpenSession endTokens */
                    endTokens?: (number[]|null);

                    /** OpenSession sampling */
                    sampling?: (resultity.stage.v1.Sampling.$Properties|null);

                    /** OpenSession leaseMs */
                    leaseMs?: (number|null);

                    /** OpenSession topLogprobs */
                    topLogprobs?: (number|null);

                    /** OpenSession logprobs */
                    logprobs?: (boolean|null);

                    /** OpenSession constraint */
                    constraint?: (resultity.stage.v1.Constraint.$Properties|null);

                    /** OpenSession promptTokens */
                    promptTokens?: (number[]|null);

                    /** OpenSession promptLogprobs */
                    promptLogprobs?: (boolean|null);

                    /** OpenSession workClass */
                    workClass?: (resultity.common.v1.WorkClass|null);

                    /** OpenSession tellWithinMs */
                    tellWithinMs?: (number|null);

                    /** OpenSession committed */
                    committed?: (number[]|null);

                    /** OpenSession tokensMin */
                    tokensMin?: (number|null);

                    /** OpenSession term */
                    term?: (number|null);

                    /** OpenSession fence */
                    fence?: (Uint8Array|null);

                    /** OpenSession prefix */
                    prefix?: (Uint8Array|null);

                    /** OpenSession prefixAfresh */
                    prefixAfresh?: (boolean|null);

                    /** OpenSession parks */
                    parks?: (boolean|null);

                    /** OpenSession keepPositions */
                    keepPositions?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an OpenSession. */
                type $Shape = {
                  protocolVersion?: number|null;
                  session?: Uint8Array|null;
                  epoch?: number|null;
                  placementId?: string|null;
                  first?: number|null;
                  end?: number|null;
                  next?: resultity.stage.v1.Hop.$Shape|null;
                  previousPeer?: string|null;
                  promptCount?: number|null;
                  tokensMax?: number|null;
                  prefillChunk?: number|null;
                  endTokens?: number[]|null;
                  sampling?: resultity.stage.v1.Sampling.$Shape|null;
                  leaseMs?: number|null;
                  topLogprobs?: number|null;
                  logprobs?: boolean|null;
                  constraint?: resultity.stage.v1.Constraint.$Shape|null;
                  promptTokens?: number[]|null;
                  promptLogprobs?: boolean|null;
                  workClass?: resultity.common.v1.WorkClass|null;
                  tellWithinMs?: number|null;
                  committed?: number[]|null;
                  tokensMin?: number|null;
                  term?: number|null;
                  fence?: Uint8Array|null;
                  prefix?: Uint8Array|null;
                  prefixAfresh?: boolean|null;
                  parks?: boolean|null;
                  keepPositions?: number|null;
                  $unknowns?: Uint8Array[];
                };
            }

            /**
             * Properties of a Constraint.
             * @deprecated Use resultity.stage.v1.Constraint.$Properties instead.
             */
            interface IConstraint extends resultity.stage.v1.Constraint.$Properties {
            }

            /** Represents a Constraint. */
            class Constraint {

                /**
                 * Constructs a new Constraint.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Constraint.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Constraint jsonObject. */
                jsonObject?: (boolean|null);

                /** Constraint jsonSchema. */
                jsonSchema?: (string|null);

                /** Constraint toolCalls. */
                toolCalls?: (resultity.stage.v1.ToolCalls.$Properties|null);

                /** Constraint anyOf. */
                anyOf?: (resultity.stage.v1.AnyOf.$Properties|null);

                /** Constraint regex. */
                regex?: (string|null);

                /** Constraint choice. */
                choice?: (resultity.stage.v1.Choice.$Properties|null);

                /** Constraint gbnf. */
                gbnf?: (string|null);

                /** Constraint preceded. */
                preceded?: (resultity.stage.v1.Preceded.$Properties|null);

                /** Constraint kind. */
                kind?: ("jsonObject"|"jsonSchema"|"toolCalls"|"anyOf"|"regex"|"choice"|"gbnf"|"preceded");

                /**
                 * Encodes the specified Constraint message. Does not implicitly {@link resultity.stage.v1.Constraint.verify|verify} messages.
                 * @param message Constraint message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Constraint.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Constraint message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Constraint & resultity.stage.v1.Constraint.$Shape} Constraint
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Constraint & resultity.stage.v1.Constraint.$Shape;
            }

            namespace Constraint {

                /** Properties of a Constraint. */
                interface $Properties {

                    /** Constraint jsonObject */
                    jsonObject?: (boolean|null);

                    /** Constraint jsonSchema */
                    jsonSchema?: (string|null);

                    /** Constraint toolCalls */
                    toolCalls?: (resultity.stage.v1.ToolCalls.$Properties|null);

                    /** Constraint anyOf */
                    anyOf?: (resultity.stage.v1.AnyOf.$Properties|null);

                    /** Constraint regex */
                    regex?: (string|null);

                    /** Constraint choice */
                    choice?: (resultity.stage.v1.Choice.$Properties|null);

                    /** Constraint gbnf */
                    gbnf?: (string|null);

                    /** Constraint preceded */
                    preceded?: (resultity.stage.v1.Preceded.$Properties|null);

                    /** Constraint kind */
                    kind?: ("jsonObject"|"jsonSchema"|"toolCalls"|"anyOf"|"regex"|"choice"|"gbnf"|"preceded");

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Narrowed shape of a Constraint. */
                type $Shape = {
                  jsonObject?: boolean|null;
                  jsonSchema?: string|null;
                  toolCalls?: resultity.stage.v1.ToolCalls.$Shape|null;
                  anyOf?: resultity.stage.v1.AnyOf.$Shape|null;
                  regex?: string|null;
                  choice?: resultity.stage.v1.Choice.$Shape|null;
                  gbnf?: string|null;
                  preceded?: resultity.stage.v1.Preceded.$Shape|null;
                  $unknowns?: Uint8Array[];
                } & (
                  ({ kind?: undefined; jsonObject?: null; jsonSchema?: null; toolCalls?: null; anyOf?: null; regex?: null; choice?: null; gbnf?: null; preceded?: null }|{ kind?: "jsonObject"; jsonObject: boolean; jsonSchema?: null; toolCalls?: null; anyOf?: null; regex?: null; choice?: null; gbnf?: null; preceded?: null }|{ kind?: "jsonSchema"; jsonObject?: null; jsonSchema: string; toolCalls?: null; anyOf?: null; regex?: null; choice?: null; gbnf?: null; preceded?: null }|{ kind?: "toolCalls"; jsonObject?: null; jsonSchema?: null; toolCalls: resultity.stage.v1.ToolCalls.$Shape; anyOf?: null; regex?: null; choice?: null; gbnf?: null; preceded?: null }|{ kind?: "anyOf"; jsonObject?: null; jsonSchema?: null; toolCalls?: null; anyOf: resultity.stage.v1.AnyOf.$Shape; regex?: null; choice?: null; gbnf?: null; preceded?: null }|{ kind?: "regex"; jsonObject?: null; jsonSchema?: null; toolCalls?: null; anyOf?: null; regex: string; choice?: null; gbnf?: null; preceded?: null }|{ kind?: "choice"; jsonObject?: null; jsonSchema?: null; toolCalls?: null; anyOf?: null; regex?: null; choice: resultity.stage.v1.Choice.$Shape; gbnf?: null; preceded?: null }|{ kind?: "gbnf"; jsonObject?: null; jsonSchema?: null; toolCalls?: null; anyOf?: null; regex?: null; choice?: null; gbnf: string; preceded?: null }|{ kind?: "preceded"; jsonObject?: null; jsonSchema?: null; toolCalls?: null; anyOf?: null; regex?: null; choice?: null; gbnf?: null; preceded: resultity.stage.v1.Preceded.$Shape })
                );
            }

            /**
             * Properties of a Preceded.
             * @deprecated Use resultity.stage.v1.Preceded.$Properties instead.
             */
            interface IPreceded extends resultity.stage.v1.Preceded.$Properties {
            }

            /** Represents a Preceded. */
            class Preceded {

                /**
                 * Constructs a new Preceded.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Preceded.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Preceded preludes. */
                preludes: resultity.stage.v1.Prelude.$Properties[];

                /** Preceded answer. */
                answer?: (resultity.stage.v1.Constraint.$Properties|null);

                /**
                 * Encodes the specified Preceded message. Does not implicitly {@link resultity.stage.v1.Preceded.verify|verify} messages.
                 * @param message Preceded message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Preceded.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Preceded message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Preceded & resultity.stage.v1.Preceded.$Shape} Preceded
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Preceded & resultity.stage.v1.Preceded.$Shape;
            }

            namespace Preceded {

                /** Properties of a Preceded. */
                interface $Properties {

                    /** Preceded preludes */
                    preludes?: (resultity.stage.v1.Prelude.$Properties[]|null);

                    /** Preceded answer */
                    answer?: (resultity.stage.v1.Constraint.$Properties|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Preceded. */
                type $Shape = {
                  preludes?: resultity.stage.v1.Prelude.$Shape[]|null;
                  answer?: resultity.stage.v1.Constraint.$Shape|null;
                  $unknowns?: Uint8Array[];
                };
            }

            /**
             * Properties of a Prelude.
             * @deprecated Use resultity.stage.v1.Prelude.$Properties instead.
             */
            interface IPrelude extends resultity.stage.v1.Prelude.$Properties {
            }

            /** Represents a Prelude. */
            class Prelude {

                /**
                 * Constructs a new Prelude.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Prelude.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Prelude parts. */
                parts: resultity.stage.v1.PreludePart.$Properties[];

                /**
                 * Encodes the specified Prelude message. Does not implicitly {@link resultity.stage.v1.Prelude.verify|verify} messages.
                 * @param message Prelude message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Prelude.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Prelude message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Prelude & resultity.stage.v1.Prelude.$Shape} Prelude
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Prelude & resultity.stage.v1.Prelude.$Shape;
            }

            namespace Prelude {

                /** Properties of a Prelude. */
                interface $Properties {

                    /** Prelude parts */
                    parts?: (resultity.stage.v1.PreludePart.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Prelude. */
                type $Shape = {
                  parts?: resultity.stage.v1.PreludePart.$Shape[]|null;
                  $unknowns?: Uint8Array[];
                };
            }

            /**
             * Properties of a PreludePart.
             * @deprecated Use resultity.stage.v1.PreludePart.$Properties instead.
             */
            interface IPreludePart extends resultity.stage.v1.PreludePart.$Properties {
            }

            /** Represents a PreludePart. */
            class PreludePart {

                /**
                 * Constructs a new PreludePart.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.PreludePart.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** PreludePart literal. */
                literal?: (string|null);

                /** PreludePart until. */
                until?: (string|null);

                /** PreludePart kind. */
                kind?: ("literal"|"until");

                /**
                 * Encodes the specified PreludePart message. Does not implicitly {@link resultity.stage.v1.PreludePart.verify|verify} messages.
                 * @param message PreludePart message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.PreludePart.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a PreludePart message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.PreludePart & resultity.stage.v1.PreludePart.$Shape} PreludePart
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.PreludePart & resultity.stage.v1.PreludePart.$Shape;
            }

            namespace PreludePart {

                /** Properties of a PreludePart. */
                interface $Properties {

                    /** PreludePart literal */
                    literal?: (string|null);

                    /** PreludePart until */
                    until?: (string|null);

                    /** PreludePart kind */
                    kind?: ("literal"|"until");

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Narrowed shape of a PreludePart. */
                type $Shape = {
                  literal?: string|null;
                  until?: string|null;
                  $unknowns?: Uint8Array[];
                } & (
                  ({ kind?: undefined; literal?: null; until?: null }|{ kind?: "literal"; literal: string; until?: null }|{ kind?: "until"; literal?: null; until: string })
                );
            }

            /**
             * Properties of an AnyOf.
             * @deprecated Use resultity.stage.v1.AnyOf.$Properties instead.
             */
            interface IAnyOf extends resultity.stage.v1.AnyOf.$Properties {
            }

            /** Represents an AnyOf. */
            class AnyOf {

                /**
                 * Constructs a new AnyOf.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.AnyOf.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** AnyOf options. */
                options: resultity.stage.v1.Constraint.$Properties[];

                /**
                 * Encodes the specified AnyOf message. Does not implicitly {@link resultity.stage.v1.AnyOf.verify|verify} messages.
                 * @param message AnyOf message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.AnyOf.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an AnyOf message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.AnyOf & resultity.stage.v1.AnyOf.$Shape} AnyOf
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.AnyOf & resultity.stage.v1.AnyOf.$Shape;
            }

            namespace AnyOf {

                /** Properties of an AnyOf. */
                interface $Properties {

                    /** AnyOf options */
                    options?: (resultity.stage.v1.Constraint.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an AnyOf. */
                type $Shape = {
                  options?: resultity.stage.v1.Constraint.$Shape[]|null;
                  $unknowns?: Uint8Array[];
                };
            }

            /**
             * Properties of a Choice.
             * @deprecated Use resultity.stage.v1.Choice.$Properties instead.
             */
            interface IChoice extends resultity.stage.v1.Choice.$Properties {
            }

            /** Represents a Choice. */
            class Choice {

                /**
                 * Constructs a new Choice.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Choice.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Choice texts. */
                texts: string[];

                /**
                 * Encodes the specified Choice message. Does not implicitly {@link resultity.stage.v1.Choice.verify|verify} messages.
                 * @param message Choice message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Choice.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Choice message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Choice & resultity.stage.v1.Choice.$Shape} Choice
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Choice & resultity.stage.v1.Choice.$Shape;
            }

            namespace Choice {

                /** Properties of a Choice. */
                interface $Properties {

                    /** Choice texts */
                    texts?: (string[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Choice. */
                type $Shape = resultity.stage.v1.Choice.$Properties;
            }

            /**
             * Properties of a ToolCalls.
             * @deprecated Use resultity.stage.v1.ToolCalls.$Properties instead.
             */
            interface IToolCalls extends resultity.stage.v1.ToolCalls.$Properties {
            }

            /** Represents a ToolCalls. */
            class ToolCalls {

                /**
                 * Constructs a new ToolCalls.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.ToolCalls.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** ToolCalls functions. */
                functions: resultity.stage.v1.ToolFunction.$Properties[];

                /** ToolCalls parallel. */
                parallel: boolean;

                /** ToolCalls form. */
                form?: (resultity.stage.v1.CallForm.$Properties|null);

                /**
                 * Encodes the specified ToolCalls message. Does not implicitly {@link resultity.stage.v1.ToolCalls.verify|verify} messages.
                 * @param message ToolCalls message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.ToolCalls.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a ToolCalls message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.ToolCalls & resultity.stage.v1.ToolCalls.$Shape} ToolCalls
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.ToolCalls & resultity.stage.v1.ToolCalls.$Shape;
            }

            namespace ToolCalls {

                /** Properties of a ToolCalls. */
                interface $Properties {

                    /** ToolCalls functions */
                    functions?: (resultity.stage.v1.ToolFunction.$Properties[]|null);

                    /** ToolCalls parallel */
                    parallel?: (boolean|null);

                    /** ToolCalls form */
                    form?: (resultity.stage.v1.CallForm.$Properties|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a ToolCalls. */
                type $Shape = resultity.stage.v1.ToolCalls.$Properties;
            }

            /**
             * Properties of a CallForm.
             * @deprecated Use resultity.stage.v1.CallForm.$Properties instead.
             */
            interface ICallForm extends resultity.stage.v1.CallForm.$Properties {
            }

            /** Represents a CallForm. */
            class CallForm {

                /**
                 * Constructs a new CallForm.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.CallForm.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** CallForm begin. */
                begin: string[];

                /** CallForm beforeName. */
                beforeName: string[];

                /** CallForm quotedName. */
                quotedName: boolean;

                /** CallForm beforeArguments. */
                beforeArguments: string[];

                /** CallForm afterArguments. */
                afterArguments: string[];

                /** CallForm single. */
                single: boolean;

                /** CallForm between. */
                between: string[];

                /** CallForm end. */
                end: string[];

                /** CallForm notation. */
                notation: string;

                /**
                 * Encodes the specified CallForm message. Does not implicitly {@link resultity.stage.v1.CallForm.verify|verify} messages.
                 * @param message CallForm message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.CallForm.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CallForm message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.CallForm & resultity.stage.v1.CallForm.$Shape} CallForm
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.CallForm & resultity.stage.v1.CallForm.$Shape;
            }

            namespace CallForm {

                /** Properties of a CallForm. */
                interface $Properties {

                    /** CallForm begin */
                    begin?: (string[]|null);

                    /** CallForm beforeName */
                    beforeName?: (string[]|null);

                    /** CallForm quotedName */
                    quotedName?: (boolean|null);

                    /** CallForm beforeArguments */
                    beforeArguments?: (string[]|null);

                    /** CallForm afterArguments */
                    afterArguments?: (string[]|null);

                    /** CallForm single */
                    single?: (boolean|null);

                    /** CallForm between */
                    between?: (string[]|null);

                    /** CallForm end */
                    end?: (string[]|null);

                    /** CallForm notation */
                    notation?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a CallForm. */
                type $Shape = resultity.stage.v1.CallForm.$Properties;
            }

            /**
             * Properties of a ToolFunction.
             * @deprecated Use resultity.stage.v1.ToolFunction.$Properties instead.
             */
            interface IToolFunction extends resultity.stage.v1.ToolFunction.$Properties {
            }

            /** Represents a ToolFunction. */
            class ToolFunction {

                /**
                 * Constructs a new ToolFunction.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.ToolFunction.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** ToolFunction name. */
                name: string;

                /** ToolFunction parameters. */
                parameters: string;

                /**
                 * Encodes the specified ToolFunction message. Does not implicitly {@link resultity.stage.v1.ToolFunction.verify|verify} messages.
                 * @param message ToolFunction message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.ToolFunction.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a ToolFunction message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.ToolFunction & resultity.stage.v1.ToolFunction.$Shape} ToolFunction
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.ToolFunction & resultity.stage.v1.ToolFunction.$Shape;
            }

            namespace ToolFunction {

                /** Properties of a ToolFunction. */
                interface $Properties {

                    /** ToolFunction name */
                    name?: (string|null);

                    /** ToolFunction parameters */
                    parameters?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a ToolFunction. */
                type $Shape = resultity.stage.v1.ToolFunction.$Properties;
            }

            /**
             * Properties of a Hop.
             * @deprecated Use resultity.stage.v1.Hop.$Properties instead.
             */
            interface IHop extends resultity.stage.v1.Hop.$Properties {
            }

            /** Represents a Hop. */
            class Hop {

                /**
                 * Constructs a new Hop.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Hop.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Hop peerId. */
                peerId: string;

                /** Hop multiaddrs. */
                multiaddrs: string[];

                /**
                 * Encodes the specified Hop message. Does not implicitly {@link resultity.stage.v1.Hop.verify|verify} messages.
                 * @param message Hop message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Hop.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Hop message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Hop & resultity.stage.v1.Hop.$Shape} Hop
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Hop & resultity.stage.v1.Hop.$Shape;
            }

            namespace Hop {

                /** Properties of a Hop. */
                interface $Properties {

                    /** Hop peerId */
                    peerId?: (string|null);

                    /** Hop multiaddrs */
                    multiaddrs?: (string[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Hop. */
                type $Shape = resultity.stage.v1.Hop.$Properties;
            }

            /**
             * Properties of a Sampling.
             * @deprecated Use resultity.stage.v1.Sampling.$Properties instead.
             */
            interface ISampling extends resultity.stage.v1.Sampling.$Properties {
            }

            /** Represents a Sampling. */
            class Sampling {

                /**
                 * Constructs a new Sampling.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Sampling.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Sampling temperature. */
                temperature: number;

                /** Sampling topP. */
                topP: number;

                /** Sampling seed. */
                seed: (number|Long);

                /** Sampling topK. */
                topK: number;

                /** Sampling minP. */
                minP: number;

                /** Sampling frequencyPenalty. */
                frequencyPenalty: number;

                /** Sampling presencePenalty. */
                presencePenalty: number;

                /** Sampling repetitionPenalty. */
                repetitionPenalty: number;

                /** Sampling logitBias. */
                logitBias: resultity.stage.v1.LogitBias.$Properties[];

                /**
                 * Encodes the specified Sampling message. Does not implicitly {@link resultity.stage.v1.Sampling.verify|verify} messages.
                 * @param message Sampling message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Sampling.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Sampling message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Sampling & resultity.stage.v1.Sampling.$Shape} Sampling
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Sampling & resultity.stage.v1.Sampling.$Shape;
            }

            namespace Sampling {

                /** Properties of a Sampling. */
                interface $Properties {

                    /** Sampling temperature */
                    temperature?: (number|null);

                    /** Sampling topP */
                    topP?: (number|null);

                    /** Sampling seed */
                    seed?: (number|Long|null);

                    /** Sampling topK */
                    topK?: (number|null);

                    /** Sampling minP */
                    minP?: (number|null);

                    /** Sampling frequencyPenalty */
                    frequencyPenalty?: (number|null);

                    /** Sampling presencePenalty */
                    presencePenalty?: (number|null);

                    /** Sampling repetitionPenalty */
                    repetitionPenalty?: (number|null);

                    /** Sampling logitBias */
                    logitBias?: (resultity.stage.v1.LogitBias.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Sampling. */
                type $Shape = resultity.stage.v1.Sampling.$Properties;
            }

            /**
             * Properties of a LogitBias.
             * @deprecated Use resultity.stage.v1.LogitBias.$Properties instead.
             */
            interface ILogitBias extends resultity.stage.v1.LogitBias.$Properties {
            }

            /** Represents a LogitBias. */
            class LogitBias {

                /**
                 * Constructs a new LogitBias.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.LogitBias.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** LogitBias token. */
                token: number;

                /** LogitBias bias. */
                bias: number;

                /**
                 * Encodes the specified LogitBias message. Does not implicitly {@link resultity.stage.v1.LogitBias.verify|verify} messages.
                 * @param message LogitBias message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.LogitBias.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a LogitBias message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.LogitBias & resultity.stage.v1.LogitBias.$Shape} LogitBias
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.LogitBias & resultity.stage.v1.LogitBias.$Shape;
            }

            namespace LogitBias {

                /** Properties of a LogitBias. */
                interface $Properties {

                    /** LogitBias token */
                    token?: (number|null);

                    /** LogitBias bias */
                    bias?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a LogitBias. */
                type $Shape = resultity.stage.v1.LogitBias.$Properties;
            }

            /**
             * Properties of a SessionOpened.
             * @deprecated Use resultity.stage.v1.SessionOpened.$Properties instead.
             */
            interface ISessionOpened extends resultity.stage.v1.SessionOpened.$Properties {
            }

            /** Represents a SessionOpened. */
            class SessionOpened {

                /**
                 * Constructs a new SessionOpened.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.SessionOpened.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** SessionOpened session. */
                session: Uint8Array;

                /** SessionOpened epoch. */
                epoch: number;

                /** SessionOpened kept. */
                kept: number;

                /** SessionOpened resumes. */
                resumes: boolean;

                /** SessionOpened held. */
                held: number;

                /** SessionOpened loggedFrom. */
                loggedFrom: number;

                /**
                 * Encodes the specified SessionOpened message. Does not implicitly {@link resultity.stage.v1.SessionOpened.verify|verify} messages.
                 * @param message SessionOpened message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.SessionOpened.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a SessionOpened message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.SessionOpened & resultity.stage.v1.SessionOpened.$Shape} SessionOpened
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.SessionOpened & resultity.stage.v1.SessionOpened.$Shape;
            }

            namespace SessionOpened {

                /** Properties of a SessionOpened. */
                interface $Properties {

                    /** SessionOpened session */
                    session?: (Uint8Array|null);

                    /** SessionOpened epoch */
                    epoch?: (number|null);

                    /** SessionOpened kept */
                    kept?: (number|null);

                    /** SessionOpened resumes */
                    resumes?: (boolean|null);

                    /** SessionOpened held */
                    held?: (number|null);

                    /** SessionOpened loggedFrom */
                    loggedFrom?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a SessionOpened. */
                type $Shape = resultity.stage.v1.SessionOpened.$Properties;
            }

            /**
             * Properties of a Resume.
             * @deprecated Use resultity.stage.v1.Resume.$Properties instead.
             */
            interface IResume extends resultity.stage.v1.Resume.$Properties {
            }

            /** Represents a Resume. */
            class Resume {

                /**
                 * Constructs a new Resume.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Resume.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Resume session. */
                session: Uint8Array;

                /** Resume epoch. */
                epoch: number;

                /** Resume begin. */
                begin: number;

                /** Resume sendFrom. */
                sendFrom: number;

                /**
                 * Encodes the specified Resume message. Does not implicitly {@link resultity.stage.v1.Resume.verify|verify} messages.
                 * @param message Resume message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Resume.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Resume message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Resume & resultity.stage.v1.Resume.$Shape} Resume
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Resume & resultity.stage.v1.Resume.$Shape;
            }

            namespace Resume {

                /** Properties of a Resume. */
                interface $Properties {

                    /** Resume session */
                    session?: (Uint8Array|null);

                    /** Resume epoch */
                    epoch?: (number|null);

                    /** Resume begin */
                    begin?: (number|null);

                    /** Resume sendFrom */
                    sendFrom?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Resume. */
                type $Shape = resultity.stage.v1.Resume.$Properties;
            }

            /**
             * Properties of a JoinHop.
             * @deprecated Use resultity.stage.v1.JoinHop.$Properties instead.
             */
            interface IJoinHop extends resultity.stage.v1.JoinHop.$Properties {
            }

            /** Represents a JoinHop. */
            class JoinHop {

                /**
                 * Constructs a new JoinHop.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.JoinHop.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** JoinHop protocolVersion. */
                protocolVersion: number;

                /** JoinHop session. */
                session: Uint8Array;

                /** JoinHop epoch. */
                epoch: number;

                /**
                 * Encodes the specified JoinHop message. Does not implicitly {@link resultity.stage.v1.JoinHop.verify|verify} messages.
                 * @param message JoinHop message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.JoinHop.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a JoinHop message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.JoinHop & resultity.stage.v1.JoinHop.$Shape} JoinHop
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.JoinHop & resultity.stage.v1.JoinHop.$Shape;
            }

            namespace JoinHop {

                /** Properties of a JoinHop. */
                interface $Properties {

                    /** JoinHop protocolVersion */
                    protocolVersion?: (number|null);

                    /** JoinHop session */
                    session?: (Uint8Array|null);

                    /** JoinHop epoch */
                    epoch?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a JoinHop. */
                type $Shape = resultity.stage.v1.JoinHop.$Properties;
            }

            /**
             * Properties of a Prompt.
             * @deprecated Use resultity.stage.v1.Prompt.$Properties instead.
             */
            interface IPrompt extends resultity.stage.v1.Prompt.$Properties {
            }

            /** Represents a Prompt. */
            class Prompt {

                /**
                 * Constructs a new Prompt.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Prompt.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Prompt session. */
                session: Uint8Array;

                /** Prompt epoch. */
                epoch: number;

                /** Prompt tokens. */
                tokens: number[];

                /** Prompt kept. */
                kept: number;

                /**
                 * Encodes the specified Prompt message. Does not implicitly {@link resultity.stage.v1.Prompt.verify|verify} messages.
                 * @param message Prompt message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Prompt.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Prompt message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Prompt & resultity.stage.v1.Prompt.$Shape} Prompt
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Prompt & resultity.stage.v1.Prompt.$Shape;
            }

            namespace Prompt {

                /** Properties of a Prompt. */
                interface $Properties {

                    /** Prompt session */
                    session?: (Uint8Array|null);

                    /** Prompt epoch */
                    epoch?: (number|null);

                    /** Prompt tokens */
                    tokens?: (number[]|null);

                    /** Prompt kept */
                    kept?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Prompt. */
                type $Shape = resultity.stage.v1.Prompt.$Properties;
            }

            /**
             * Properties of a Piece.
             * @deprecated Use resultity.stage.v1.Piece.$Properties instead.
             */
            interface IPiece extends resultity.stage.v1.Piece.$Properties {
            }

            /** Represents a Piece. */
            class Piece {

                /**
                 * Constructs a new Piece.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Piece.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Piece session. */
                session: Uint8Array;

                /** Piece epoch. */
                epoch: number;

                /** Piece position. */
                position: number;

                /** Piece pixels. */
                pixels: Uint8Array;

                /**
                 * Encodes the specified Piece message. Does not implicitly {@link resultity.stage.v1.Piece.verify|verify} messages.
                 * @param message Piece message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Piece.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Piece message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Piece & resultity.stage.v1.Piece.$Shape} Piece
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Piece & resultity.stage.v1.Piece.$Shape;
            }

            namespace Piece {

                /** Properties of a Piece. */
                interface $Properties {

                    /** Piece session */
                    session?: (Uint8Array|null);

                    /** Piece epoch */
                    epoch?: (number|null);

                    /** Piece position */
                    position?: (number|null);

                    /** Piece pixels */
                    pixels?: (Uint8Array|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Piece. */
                type $Shape = resultity.stage.v1.Piece.$Properties;
            }

            /**
             * Properties of an Activations.
             * @deprecated Use resultity.stage.v1.Activations.$Properties instead.
             */
            interface IActivations extends resultity.stage.v1.Activations.$Properties {
            }

            /** Represents an Activations. */
            class Activations {

                /**
                 * Constructs a new Activations.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Activations.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Activations session. */
                session: Uint8Array;

                /** Activations epoch. */
                epoch: number;

                /** Activations position. */
                position: number;

                /** Activations count. */
                count: number;

                /** Activations hidden. */
                hidden: Uint8Array;

                /**
                 * Encodes the specified Activations message. Does not implicitly {@link resultity.stage.v1.Activations.verify|verify} messages.
                 * @param message Activations message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Activations.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an Activations message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Activations & resultity.stage.v1.Activations.$Shape} Activations
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Activations & resultity.stage.v1.Activations.$Shape;
            }

            namespace Activations {

                /** Properties of an Activations. */
                interface $Properties {

                    /** Activations session */
                    session?: (Uint8Array|null);

                    /** Activations epoch */
                    epoch?: (number|null);

                    /** Activations position */
                    position?: (number|null);

                    /** Activations count */
                    count?: (number|null);

                    /** Activations hidden */
                    hidden?: (Uint8Array|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an Activations. */
                type $Shape = resultity.stage.v1.Activations.$Properties;
            }

            /**
             * Properties of a NextToken.
             * @deprecated Use resultity.stage.v1.NextToken.$Properties instead.
             */
            interface INextToken extends resultity.stage.v1.NextToken.$Properties {
            }

            /** Represents a NextToken. */
            class NextToken {

                /**
                 * Constructs a new NextToken.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.NextToken.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** NextToken session. */
                session: Uint8Array;

                /** NextToken epoch. */
                epoch: number;

                /** NextToken position. */
                position: number;

                /** NextToken token. */
                token: number;

                /**
                 * Encodes the specified NextToken message. Does not implicitly {@link resultity.stage.v1.NextToken.verify|verify} messages.
                 * @param message NextToken message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.NextToken.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a NextToken message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.NextToken & resultity.stage.v1.NextToken.$Shape} NextToken
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.NextToken & resultity.stage.v1.NextToken.$Shape;
            }

            namespace NextToken {

                /** Properties of a NextToken. */
                interface $Properties {

                    /** NextToken session */
                    session?: (Uint8Array|null);

                    /** NextToken epoch */
                    epoch?: (number|null);

                    /** NextToken position */
                    position?: (number|null);

                    /** NextToken token */
                    token?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a NextToken. */
                type $Shape = resultity.stage.v1.NextToken.$Properties;
            }

            /**
             * Properties of a Sampled.
             * @deprecated Use resultity.stage.v1.Sampled.$Properties instead.
             */
            interface ISampled extends resultity.stage.v1.Sampled.$Properties {
            }

            /** Represents a Sampled. */
            class Sampled {

                /**
                 * Constructs a new Sampled.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Sampled.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Sampled session. */
                session: Uint8Array;

                /** Sampled epoch. */
                epoch: number;

                /** Sampled position. */
                position: number;

                /** Sampled token. */
                token: number;

                /** Sampled finish. */
                finish: resultity.stage.v1.Sampled.Finish;

                /** Sampled logprob. */
                logprob: number;

                /** Sampled top. */
                top: resultity.stage.v1.TokenLogprob.$Properties[];

                /**
                 * Encodes the specified Sampled message. Does not implicitly {@link resultity.stage.v1.Sampled.verify|verify} messages.
                 * @param message Sampled message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Sampled.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Sampled message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Sampled & resultity.stage.v1.Sampled.$Shape} Sampled
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Sampled & resultity.stage.v1.Sampled.$Shape;
            }

            namespace Sampled {

                /** Properties of a Sampled. */
                interface $Properties {

                    /** Sampled session */
                    session?: (Uint8Array|null);

                    /** Sampled epoch */
                    epoch?: (number|null);

                    /** Sampled position */
                    position?: (number|null);

                    /** Sampled token */
                    token?: (number|null);

                    /** Sampled finish */
                    finish?: (resultity.stage.v1.Sampled.Finish|null);

                    /** Sampled logprob */
                    logprob?: (number|null);

                    /** Sampled top */
                    top?: (resultity.stage.v1.TokenLogprob.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Sampled. */
                type $Shape = resultity.stage.v1.Sampled.$Properties;

                /** Finish enum. */
                enum Finish {

                    /** CONTINUES value */
                    CONTINUES = 0,

                    /** END_TOKEN value */
                    END_TOKEN = 1,

                    /** TOKENS_MAX value */
                    TOKENS_MAX = 2
                }
            }

            /**
             * Properties of a TokenLogprob.
             * @deprecated Use resultity.stage.v1.TokenLogprob.$Properties instead.
             */
            interface ITokenLogprob extends resultity.stage.v1.TokenLogprob.$Properties {
            }

            /** Represents a TokenLogprob. */
            class TokenLogprob {

                /**
                 * Constructs a new TokenLogprob.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.TokenLogprob.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** TokenLogprob token. */
                token: number;

                /** TokenLogprob logprob. */
                logprob: number;

                /**
                 * Encodes the specified TokenLogprob message. Does not implicitly {@link resultity.stage.v1.TokenLogprob.verify|verify} messages.
                 * @param message TokenLogprob message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.TokenLogprob.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a TokenLogprob message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.TokenLogprob & resultity.stage.v1.TokenLogprob.$Shape} TokenLogprob
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.TokenLogprob & resultity.stage.v1.TokenLogprob.$Shape;
            }

            namespace TokenLogprob {

                /** Properties of a TokenLogprob. */
                interface $Properties {

                    /** TokenLogprob token */
                    token?: (number|null);

                    /** TokenLogprob logprob */
                    logprob?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a TokenLogprob. */
                type $Shape = resultity.stage.v1.TokenLogprob.$Properties;
            }

            /**
             * Properties of a Replayed.
             * @deprecated Use resultity.stage.v1.Replayed.$Properties instead.
             */
            interface IReplayed extends resultity.stage.v1.Replayed.$Properties {
            }

            /** Represents a Replayed. */
            class Replayed {

                /**
                 * Constructs a new Replayed.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Replayed.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Replayed session. */
                session: Uint8Array;

                /** Replayed epoch. */
                epoch: number;

                /** Replayed position. */
                position: number;

                /** Replayed exact. */
                exact: boolean;

                /**
                 * Encodes the specified Replayed message. Does not implicitly {@link resultity.stage.v1.Replayed.verify|verify} messages.
                 * @param message Replayed message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Replayed.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Replayed message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Replayed & resultity.stage.v1.Replayed.$Shape} Replayed
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Replayed & resultity.stage.v1.Replayed.$Shape;
            }

            namespace Replayed {

                /** Properties of a Replayed. */
                interface $Properties {

                    /** Replayed session */
                    session?: (Uint8Array|null);

                    /** Replayed epoch */
                    epoch?: (number|null);

                    /** Replayed position */
                    position?: (number|null);

                    /** Replayed exact */
                    exact?: (boolean|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Replayed. */
                type $Shape = resultity.stage.v1.Replayed.$Properties;
            }

            /**
             * Properties of a Probe.
             * @deprecated Use resultity.stage.v1.Probe.$Properties instead.
             */
            interface IProbe extends resultity.stage.v1.Probe.$Properties {
            }

            /** Represents a Probe. */
            class Probe {

                /**
                 * Constructs a new Probe.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Probe.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Probe session. */
                session: Uint8Array;

                /** Probe epoch. */
                epoch: number;

                /** Probe nonce. */
                nonce: number;

                /**
                 * Encodes the specified Probe message. Does not implicitly {@link resultity.stage.v1.Probe.verify|verify} messages.
                 * @param message Probe message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Probe.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Probe message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Probe & resultity.stage.v1.Probe.$Shape} Probe
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Probe & resultity.stage.v1.Probe.$Shape;
            }

            namespace Probe {

                /** Properties of a Probe. */
                interface $Properties {

                    /** Probe session */
                    session?: (Uint8Array|null);

                    /** Probe epoch */
                    epoch?: (number|null);

                    /** Probe nonce */
                    nonce?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Probe. */
                type $Shape = resultity.stage.v1.Probe.$Properties;
            }

            /**
             * Properties of a ProbeAck.
             * @deprecated Use resultity.stage.v1.ProbeAck.$Properties instead.
             */
            interface IProbeAck extends resultity.stage.v1.ProbeAck.$Properties {
            }

            /** Represents a ProbeAck. */
            class ProbeAck {

                /**
                 * Constructs a new ProbeAck.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.ProbeAck.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** ProbeAck session. */
                session: Uint8Array;

                /** ProbeAck epoch. */
                epoch: number;

                /** ProbeAck nonce. */
                nonce: number;

                /**
                 * Encodes the specified ProbeAck message. Does not implicitly {@link resultity.stage.v1.ProbeAck.verify|verify} messages.
                 * @param message ProbeAck message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.ProbeAck.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a ProbeAck message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.ProbeAck & resultity.stage.v1.ProbeAck.$Shape} ProbeAck
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.ProbeAck & resultity.stage.v1.ProbeAck.$Shape;
            }

            namespace ProbeAck {

                /** Properties of a ProbeAck. */
                interface $Properties {

                    /** ProbeAck session */
                    session?: (Uint8Array|null);

                    /** ProbeAck epoch */
                    epoch?: (number|null);

                    /** ProbeAck nonce */
                    nonce?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a ProbeAck. */
                type $Shape = resultity.stage.v1.ProbeAck.$Properties;
            }

            /**
             * Properties of a HopAck.
             * @deprecated Use resultity.stage.v1.HopAck.$Properties instead.
             */
            interface IHopAck extends resultity.stage.v1.HopAck.$Properties {
            }

            /** Represents a HopAck. */
            class HopAck {

                /**
                 * Constructs a new HopAck.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.HopAck.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** HopAck session. */
                session: Uint8Array;

                /** HopAck epoch. */
                epoch: number;

                /** HopAck position. */
                position: number;

                /**
                 * Encodes the specified HopAck message. Does not implicitly {@link resultity.stage.v1.HopAck.verify|verify} messages.
                 * @param message HopAck message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.HopAck.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a HopAck message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.HopAck & resultity.stage.v1.HopAck.$Shape} HopAck
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.HopAck & resultity.stage.v1.HopAck.$Shape;
            }

            namespace HopAck {

                /** Properties of a HopAck. */
                interface $Properties {

                    /** HopAck session */
                    session?: (Uint8Array|null);

                    /** HopAck epoch */
                    epoch?: (number|null);

                    /** HopAck position */
                    position?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a HopAck. */
                type $Shape = resultity.stage.v1.HopAck.$Properties;
            }

            /**
             * Properties of a LinkFault.
             * @deprecated Use resultity.stage.v1.LinkFault.$Properties instead.
             */
            interface ILinkFault extends resultity.stage.v1.LinkFault.$Properties {
            }

            /** Represents a LinkFault. */
            class LinkFault {

                /**
                 * Constructs a new LinkFault.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.LinkFault.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** LinkFault session. */
                session: Uint8Array;

                /** LinkFault epoch. */
                epoch: number;

                /** LinkFault peerId. */
                peerId: string;

                /** LinkFault silentMs. */
                silentMs: number;

                /**
                 * Encodes the specified LinkFault message. Does not implicitly {@link resultity.stage.v1.LinkFault.verify|verify} messages.
                 * @param message LinkFault message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.LinkFault.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a LinkFault message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.LinkFault & resultity.stage.v1.LinkFault.$Shape} LinkFault
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.LinkFault & resultity.stage.v1.LinkFault.$Shape;
            }

            namespace LinkFault {

                /** Properties of a LinkFault. */
                interface $Properties {

                    /** LinkFault session */
                    session?: (Uint8Array|null);

                    /** LinkFault epoch */
                    epoch?: (number|null);

                    /** LinkFault peerId */
                    peerId?: (string|null);

                    /** LinkFault silentMs */
                    silentMs?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a LinkFault. */
                type $Shape = resultity.stage.v1.LinkFault.$Properties;
            }

            /**
             * Properties of a TryHop.
             * @deprecated Use resultity.stage.v1.TryHop.$Properties instead.
             */
            interface ITryHop extends resultity.stage.v1.TryHop.$Properties {
            }

            /** Represents a TryHop. */
            class TryHop {

                /**
                 * Constructs a new TryHop.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.TryHop.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** TryHop protocolVersion. */
                protocolVersion: number;

                /** TryHop placementId. */
                placementId: string;

                /**
                 * Encodes the specified TryHop message. Does not implicitly {@link resultity.stage.v1.TryHop.verify|verify} messages.
                 * @param message TryHop message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.TryHop.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a TryHop message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.TryHop & resultity.stage.v1.TryHop.$Shape} TryHop
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.TryHop & resultity.stage.v1.TryHop.$Shape;
            }

            namespace TryHop {

                /** Properties of a TryHop. */
                interface $Properties {

                    /** TryHop protocolVersion */
                    protocolVersion?: (number|null);

                    /** TryHop placementId */
                    placementId?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a TryHop. */
                type $Shape = resultity.stage.v1.TryHop.$Properties;
            }

            /**
             * Properties of a HopTried.
             * @deprecated Use resultity.stage.v1.HopTried.$Properties instead.
             */
            interface IHopTried extends resultity.stage.v1.HopTried.$Properties {
            }

            /** Represents a HopTried. */
            class HopTried {

                /**
                 * Constructs a new HopTried.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.HopTried.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** HopTried placementId. */
                placementId: string;

                /**
                 * Encodes the specified HopTried message. Does not implicitly {@link resultity.stage.v1.HopTried.verify|verify} messages.
                 * @param message HopTried message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.HopTried.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a HopTried message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.HopTried & resultity.stage.v1.HopTried.$Shape} HopTried
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.HopTried & resultity.stage.v1.HopTried.$Shape;
            }

            namespace HopTried {

                /** Properties of a HopTried. */
                interface $Properties {

                    /** HopTried placementId */
                    placementId?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a HopTried. */
                type $Shape = resultity.stage.v1.HopTried.$Properties;
            }

            /**
             * Properties of a PromptScores.
             * @deprecated Use resultity.stage.v1.PromptScores.$Properties instead.
             */
            interface IPromptScores extends resultity.stage.v1.PromptScores.$Properties {
            }

            /** Represents a PromptScores. */
            class PromptScores {

                /**
                 * Constructs a new PromptScores.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.PromptScores.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** PromptScores session. */
                session: Uint8Array;

                /** PromptScores epoch. */
                epoch: number;

                /** PromptScores position. */
                position: number;

                /** PromptScores scores. */
                scores: resultity.stage.v1.TokenScore.$Properties[];

                /**
                 * Encodes the specified PromptScores message. Does not implicitly {@link resultity.stage.v1.PromptScores.verify|verify} messages.
                 * @param message PromptScores message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.PromptScores.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a PromptScores message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.PromptScores & resultity.stage.v1.PromptScores.$Shape} PromptScores
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.PromptScores & resultity.stage.v1.PromptScores.$Shape;
            }

            namespace PromptScores {

                /** Properties of a PromptScores. */
                interface $Properties {

                    /** PromptScores session */
                    session?: (Uint8Array|null);

                    /** PromptScores epoch */
                    epoch?: (number|null);

                    /** PromptScores position */
                    position?: (number|null);

                    /** PromptScores scores */
                    scores?: (resultity.stage.v1.TokenScore.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a PromptScores. */
                type $Shape = resultity.stage.v1.PromptScores.$Properties;
            }

            /**
             * Properties of a TokenScore.
             * @deprecated Use resultity.stage.v1.TokenScore.$Properties instead.
             */
            interface ITokenScore extends resultity.stage.v1.TokenScore.$Properties {
            }

            /** Represents a TokenScore. */
            class TokenScore {

                /**
                 * Constructs a new TokenScore.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.TokenScore.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** TokenScore logprob. */
                logprob: number;

                /** TokenScore top. */
                top: resultity.stage.v1.TokenLogprob.$Properties[];

                /**
                 * Encodes the specified TokenScore message. Does not implicitly {@link resultity.stage.v1.TokenScore.verify|verify} messages.
                 * @param message TokenScore message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.TokenScore.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a TokenScore message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.TokenScore & resultity.stage.v1.TokenScore.$Shape} TokenScore
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.TokenScore & resultity.stage.v1.TokenScore.$Shape;
            }

            namespace TokenScore {

                /** Properties of a TokenScore. */
                interface $Properties {

                    /** TokenScore logprob */
                    logprob?: (number|null);

                    /** TokenScore top */
                    top?: (resultity.stage.v1.TokenLogprob.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a TokenScore. */
                type $Shape = resultity.stage.v1.TokenScore.$Properties;
            }

            /**
             * Properties of a CloseSession.
             * @deprecated Use resultity.stage.v1.CloseSession.$Properties instead.
             */
            interface ICloseSession extends resultity.stage.v1.CloseSession.$Properties {
            }

            /** Represents a CloseSession. */
            class CloseSession {

                /**
                 * Constructs a new CloseSession.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.CloseSession.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** CloseSession session. */
                session: Uint8Array;

                /** CloseSession reason. */
                reason: string;

                /** CloseSession keep. */
                keep: boolean;

                /** CloseSession park. */
                park: boolean;

                /**
                 * Encodes the specified CloseSession message. Does not implicitly {@link resultity.stage.v1.CloseSession.verify|verify} messages.
                 * @param message CloseSession message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.CloseSession.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CloseSession message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.CloseSession & resultity.stage.v1.CloseSession.$Shape} CloseSession
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.CloseSession & resultity.stage.v1.CloseSession.$Shape;
            }

            namespace CloseSession {

                /** Properties of a CloseSession. */
                interface $Properties {

                    /** CloseSession session */
                    session?: (Uint8Array|null);

                    /** CloseSession reason */
                    reason?: (string|null);

                    /** CloseSession keep */
                    keep?: (boolean|null);

                    /** CloseSession park */
                    park?: (boolean|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a CloseSession. */
                type $Shape = resultity.stage.v1.CloseSession.$Properties;
            }

            /**
             * Properties of a Fault.
             * @deprecated Use resultity.stage.v1.Fault.$Properties instead.
             */
            interface IFault extends resultity.stage.v1.Fault.$Properties {
            }

            /** Represents a Fault. */
            class Fault {

                /**
                 * Constructs a new Fault.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: resultity.stage.v1.Fault.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Fault session. */
                session: Uint8Array;

                /** Fault epoch. */
                epoch: number;

                /** Fault error. */
                error?: (resultity.common.v1.Error.$Properties|null);

                /** Fault blamedPeer. */
                blamedPeer: string;

                /**
                 * Encodes the specified Fault message. Does not implicitly {@link resultity.stage.v1.Fault.verify|verify} messages.
                 * @param message Fault message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: resultity.stage.v1.Fault.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Fault message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {resultity.stage.v1.Fault & resultity.stage.v1.Fault.$Shape} Fault
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): resultity.stage.v1.Fault & resultity.stage.v1.Fault.$Shape;
            }

            namespace Fault {

                /** Properties of a Fault. */
                interface $Properties {

                    /** Fault session */
                    session?: (Uint8Array|null);

                    /** Fault epoch */
                    epoch?: (number|null);

                    /** Fault error */
                    error?: (resultity.common.v1.Error.$Properties|null);

                    /** Fault blamedPeer */
                    blamedPeer?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Fault. */
                type $Shape = resultity.stage.v1.Fault.$Properties;
            }
        }
    }
}
