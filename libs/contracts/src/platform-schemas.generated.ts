// Generated from schemas/platform by `npm run gen`. Do not edit.

export const attemptSchema = {
  "type": "record",
  "namespace": "posthorn",
  "name": "Attempt",
  "doc": "What happened to a delivery: each POST, and each final outcome.",
  "fields": [
    {
      "name": "deliveryId",
      "type": "string",
      "doc": "See deliveryIdOf in libs/core."
    },
    {
      "name": "webhookId",
      "type": "string",
      "doc": "The webhook-id header."
    },
    {
      "name": "tenantId",
      "type": "string",
      "doc": "Owner of the endpoint."
    },
    {
      "name": "endpointId",
      "type": "string",
      "doc": "Receiver; the record's key."
    },
    {
      "name": "stream",
      "type": "string",
      "doc": "Stream of the delivery."
    },
    {
      "name": "pos",
      "type": "long",
      "doc": "Offset of the delivery in posthorn.deliveries."
    },
    {
      "name": "eventId",
      "type": "string",
      "doc": "CloudEvents id."
    },
    {
      "name": "eventSource",
      "type": "string",
      "doc": "CloudEvents source."
    },
    {
      "name": "eventType",
      "type": "string",
      "doc": "CloudEvents type."
    },
    {
      "name": "configVersion",
      "type": "long",
      "doc": "Configuration that was in force: offset in posthorn.endpoints."
    },
    {
      "name": "acceptedAt",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "Append time of the event."
    },
    {
      "name": "dispatchedAt",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "When the delivery was made."
    },
    {
      "name": "number",
      "type": "int",
      "doc": "Which POST this was, from 1; 0 when none was made."
    },
    {
      "name": "startedAt",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "When this attempt began."
    },
    {
      "name": "durationMs",
      "type": "int",
      "doc": "Until its outcome was known, in milliseconds."
    },
    {
      "name": "url",
      "type": "string",
      "doc": "Where it was sent; empty when no POST was made."
    },
    {
      "name": "requestHeaders",
      "type": {
        "type": "map",
        "values": "string"
      },
      "doc": "Headers that were sent, without credentials."
    },
    {
      "name": "response",
      "type": [
        "null",
        {
          "type": "record",
          "name": "AttemptResponse",
          "doc": "What the endpoint answered.",
          "fields": [
            {
              "name": "status",
              "type": "int",
              "doc": "HTTP status code."
            },
            {
              "name": "headers",
              "type": {
                "type": "map",
                "values": "string"
              },
              "doc": "Answer headers."
            },
            {
              "name": "body",
              "type": "bytes",
              "doc": "First 4 KiB of the answer."
            },
            {
              "name": "truncated",
              "type": "boolean",
              "doc": "Whether the answer was longer."
            }
          ]
        }
      ],
      "doc": "Null when there was no answer.",
      "default": null
    },
    {
      "name": "error",
      "type": [
        "null",
        {
          "type": "record",
          "name": "AttemptError",
          "doc": "Why there was no answer, or no POST.",
          "fields": [
            {
              "name": "kind",
              "type": "string",
              "doc": "Stable code: see AttemptErrorKind in libs/core."
            },
            {
              "name": "message",
              "type": "string",
              "doc": "In words."
            }
          ]
        }
      ],
      "doc": "Null when an answer came.",
      "default": null
    },
    {
      "name": "outcome",
      "type": {
        "type": "enum",
        "name": "AttemptOutcome",
        "doc": "delivered: 2xx. retry: another try follows at dueAt. deadLetter: given up, see deadLetterReason. disable: given up, and the endpoint asked to be disabled (410). dropped: the endpoint was deleted, the replay cancelled, or it was a test that failed. halted: exhausted, and kept until someone releases or skips it. started: a POST is about to be made (written only while a delivery is suspected of ending its worker).",
        "symbols": [
          "delivered",
          "retry",
          "deadLetter",
          "disable",
          "dropped",
          "halted",
          "started"
        ]
      },
      "doc": "What was decided."
    },
    {
      "name": "final",
      "type": "boolean",
      "doc": "No further attempt follows."
    },
    {
      "name": "deadLetterReason",
      "type": [
        "null",
        "string"
      ],
      "doc": "Set when the delivery became a dead letter.",
      "default": null
    },
    {
      "name": "dueAt",
      "type": [
        "null",
        {
          "type": "long",
          "logicalType": "timestamp-millis"
        }
      ],
      "doc": "When the next attempt is due.",
      "default": null
    },
    {
      "name": "workerId",
      "type": "string",
      "doc": "Process that made it."
    },
    {
      "name": "orderingKey",
      "type": [
        "null",
        "string"
      ],
      "doc": "Ordering key of the delivery.",
      "default": null
    },
    {
      "name": "batch",
      "type": [
        "null",
        {
          "type": "record",
          "name": "BatchPlace",
          "doc": "Where it stood in the batch that was POSTed.",
          "fields": [
            {
              "name": "id",
              "type": "string",
              "doc": "The webhook-id of the batch."
            },
            {
              "name": "size",
              "type": "int",
              "doc": "How many events it had."
            },
            {
              "name": "place",
              "type": "int",
              "doc": "Of this one among them, from 0."
            }
          ]
        }
      ],
      "doc": "Null: it was POSTed alone.",
      "default": null
    }
  ]
} as const;

export const auditEntrySchema = {
  "type": "record",
  "namespace": "posthorn",
  "name": "AuditEntry",
  "doc": "Who changed what, in posthorn.audit. Each tenant's entries are a chain of hashes; the same entry may stand there more than once.",
  "fields": [
    {
      "name": "tenantId",
      "type": "string",
      "doc": "Whose it is; empty: the platform's own."
    },
    {
      "name": "seq",
      "type": "long",
      "doc": "Counts the entries of the chain, from 1."
    },
    {
      "name": "at",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "When it was done."
    },
    {
      "name": "actorKind",
      "type": "string",
      "doc": "root, operator, tenant, portal or system."
    },
    {
      "name": "actorId",
      "type": "string",
      "doc": "Of the key or token."
    },
    {
      "name": "actorName",
      "type": "string",
      "doc": "For people."
    },
    {
      "name": "ip",
      "type": [
        "null",
        "string"
      ],
      "doc": "Address that the request came from."
    },
    {
      "name": "requestId",
      "type": [
        "null",
        "string"
      ],
      "doc": "Of the request."
    },
    {
      "name": "action",
      "type": "string",
      "doc": "What was done, such as endpoint.updated."
    },
    {
      "name": "resource",
      "type": "string",
      "doc": "To what, such as endpoint/ep_1."
    },
    {
      "name": "before",
      "type": [
        "null",
        "string"
      ],
      "doc": "JSON, without secrets; null: it was not there."
    },
    {
      "name": "after",
      "type": [
        "null",
        "string"
      ],
      "doc": "JSON, without secrets; null: it is gone."
    },
    {
      "name": "prevHash",
      "type": "bytes",
      "doc": "Hash of the entry before it; zeros for the first."
    },
    {
      "name": "hash",
      "type": "bytes",
      "doc": "SHA-256 of prevHash, seq (8 bytes, big-endian) and the digest of the entry."
    }
  ]
} as const;

export const deadLetterSchema = {
  "type": "record",
  "namespace": "posthorn",
  "name": "DeadLetter",
  "doc": "A delivery that was given up. Counts only with the final Attempt that names it.",
  "fields": [
    {
      "name": "deliveryId",
      "type": "string",
      "doc": "See deliveryIdOf in libs/core."
    },
    {
      "name": "delivery",
      "type": {
        "type": "record",
        "namespace": "posthorn",
        "name": "Delivery",
        "doc": "One event for one endpoint, rendered and ready to be signed and sent. Stands in posthorn.deliveries and, as copies, in the retry topics.",
        "fields": [
          {
            "name": "tenantId",
            "type": "string",
            "doc": "Owner of the endpoint."
          },
          {
            "name": "endpointId",
            "type": "string",
            "doc": "Receiver; the record's key."
          },
          {
            "name": "webhookId",
            "type": "string",
            "doc": "The webhook-id header: the same over retries and replays of (endpoint, event source, event id)."
          },
          {
            "name": "stream",
            "type": "string",
            "doc": "`live`, or the id of a replay or test. Order and dedupe hold within one stream."
          },
          {
            "name": "incarnation",
            "type": "int",
            "doc": "Incarnation of the source log; raised when the log is not the one that positions were taken from."
          },
          {
            "name": "sourcePartition",
            "type": "int",
            "doc": "Partition of posthorn.events."
          },
          {
            "name": "sourceOffset",
            "type": "long",
            "doc": "Offset in posthorn.events."
          },
          {
            "name": "floor",
            "type": "long",
            "doc": "Last commit of the source partition that the dispatcher knew as acknowledged when it sent this."
          },
          {
            "name": "configVersion",
            "type": "long",
            "doc": "Offset in posthorn.endpoints of the configuration that this was made with."
          },
          {
            "name": "ordering",
            "type": {
              "type": "enum",
              "name": "Ordering",
              "symbols": [
                "none",
                "key",
                "endpoint"
              ],
              "doc": "Order asked for when this was made."
            },
            "doc": "The endpoint's setting when this was made."
          },
          {
            "name": "orderingKey",
            "type": [
              "null",
              "string"
            ],
            "doc": "The event's partitionkey, else its subject; null: the key shared by all that have neither.",
            "default": null
          },
          {
            "name": "eventId",
            "type": "string",
            "doc": "CloudEvents id."
          },
          {
            "name": "eventSource",
            "type": "string",
            "doc": "CloudEvents source."
          },
          {
            "name": "eventType",
            "type": "string",
            "doc": "CloudEvents type."
          },
          {
            "name": "acceptedAt",
            "type": {
              "type": "long",
              "logicalType": "timestamp-millis"
            },
            "doc": "Append time of the event in posthorn.events."
          },
          {
            "name": "dispatchedAt",
            "type": {
              "type": "long",
              "logicalType": "timestamp-millis"
            },
            "doc": "When the dispatcher made this delivery; the retry policy's total time starts here."
          },
          {
            "name": "contentType",
            "type": "string",
            "doc": "Content-Type of the body."
          },
          {
            "name": "headers",
            "type": {
              "type": "map",
              "values": "string"
            },
            "doc": "Further request headers that belong to the rendered form."
          },
          {
            "name": "body",
            "type": [
              "null",
              "bytes"
            ],
            "doc": "Request body; null when it could not be rendered.",
            "default": null
          },
          {
            "name": "renderError",
            "type": [
              "null",
              "string"
            ],
            "doc": "Why there is no body.",
            "default": null
          },
          {
            "name": "attempt",
            "type": "int",
            "doc": "POSTs made so far.",
            "default": 0
          },
          {
            "name": "hop",
            "type": "int",
            "doc": "Number of this copy: 0 in posthorn.deliveries, one more for each retry, hop and spill.",
            "default": 0
          },
          {
            "name": "pos",
            "type": [
              "null",
              "long"
            ],
            "doc": "Offset in posthorn.deliveries; null there, set in every copy.",
            "default": null
          },
          {
            "name": "writer",
            "type": [
              "null",
              {
                "type": "record",
                "name": "Epoch",
                "doc": "Who wrote a copy: compared by era, then by generation (DESIGN, Ownership).",
                "fields": [
                  {
                    "name": "era",
                    "type": "int",
                    "doc": "Raised by the tool that sets positions."
                  },
                  {
                    "name": "generation",
                    "type": "int",
                    "doc": "Group generation in which the writer gained the partition."
                  }
                ]
              }
            ],
            "doc": "Epoch of the worker that wrote this copy; null in posthorn.deliveries.",
            "default": null
          },
          {
            "name": "dueAt",
            "type": [
              "null",
              {
                "type": "long",
                "logicalType": "timestamp-millis"
              }
            ],
            "doc": "Not to be sent before; null: at once.",
            "default": null
          },
          {
            "name": "scheduleFrom",
            "type": "int",
            "doc": "POSTs made before the retry schedule began anew: 0, or `attempt` when a halted delivery was released.",
            "default": 0
          },
          {
            "name": "scheduledSince",
            "type": [
              "null",
              {
                "type": "long",
                "logicalType": "timestamp-millis"
              }
            ],
            "doc": "Begin of the policy's total time; null: dispatchedAt.",
            "default": null
          },
          {
            "name": "haltedAt",
            "type": [
              "null",
              {
                "type": "long",
                "logicalType": "timestamp-millis"
              }
            ],
            "doc": "When it was exhausted at an endpoint that halts; null: it goes on.",
            "default": null
          },
          {
            "name": "space",
            "type": "string",
            "doc": "Beside (stream, incarnation, source partition): what repeats are looked for in. Empty for live dispatch and replays; of a catch-up, its run, which is one endpoint's.",
            "default": ""
          },
          {
            "name": "renderKind",
            "type": [
              "null",
              "string"
            ],
            "doc": "What kind of fault renderError is: `transformation`, `version` or `too-large`.",
            "default": null
          },
          {
            "name": "members",
            "type": [
              "null",
              {
                "type": "array",
                "items": "posthorn.Delivery"
              }
            ],
            "doc": "Of a batch: the deliveries that travel in one POST, by ascending pos; their bodies make up its body. Null: it is one event.",
            "default": null
          }
        ]
      },
      "doc": "The delivery as it was last tried."
    },
    {
      "name": "reason",
      "type": "string",
      "doc": "Stable code: exhausted, gone, undeliverable, transformation, poison, endpoint-disabled."
    },
    {
      "name": "at",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "When it was given up."
    },
    {
      "name": "lastStatus",
      "type": [
        "null",
        "int"
      ],
      "doc": "HTTP status of the last answer.",
      "default": null
    },
    {
      "name": "lastError",
      "type": [
        "null",
        "string"
      ],
      "doc": "Error kind and message of the last attempt.",
      "default": null
    }
  ]
} as const;

export const deliverySchema = {
  "type": "record",
  "namespace": "posthorn",
  "name": "Delivery",
  "doc": "One event for one endpoint, rendered and ready to be signed and sent. Stands in posthorn.deliveries and, as copies, in the retry topics.",
  "fields": [
    {
      "name": "tenantId",
      "type": "string",
      "doc": "Owner of the endpoint."
    },
    {
      "name": "endpointId",
      "type": "string",
      "doc": "Receiver; the record's key."
    },
    {
      "name": "webhookId",
      "type": "string",
      "doc": "The webhook-id header: the same over retries and replays of (endpoint, event source, event id)."
    },
    {
      "name": "stream",
      "type": "string",
      "doc": "`live`, or the id of a replay or test. Order and dedupe hold within one stream."
    },
    {
      "name": "incarnation",
      "type": "int",
      "doc": "Incarnation of the source log; raised when the log is not the one that positions were taken from."
    },
    {
      "name": "sourcePartition",
      "type": "int",
      "doc": "Partition of posthorn.events."
    },
    {
      "name": "sourceOffset",
      "type": "long",
      "doc": "Offset in posthorn.events."
    },
    {
      "name": "floor",
      "type": "long",
      "doc": "Last commit of the source partition that the dispatcher knew as acknowledged when it sent this."
    },
    {
      "name": "configVersion",
      "type": "long",
      "doc": "Offset in posthorn.endpoints of the configuration that this was made with."
    },
    {
      "name": "ordering",
      "type": {
        "type": "enum",
        "name": "Ordering",
        "symbols": [
          "none",
          "key",
          "endpoint"
        ],
        "doc": "Order asked for when this was made."
      },
      "doc": "The endpoint's setting when this was made."
    },
    {
      "name": "orderingKey",
      "type": [
        "null",
        "string"
      ],
      "doc": "The event's partitionkey, else its subject; null: the key shared by all that have neither.",
      "default": null
    },
    {
      "name": "eventId",
      "type": "string",
      "doc": "CloudEvents id."
    },
    {
      "name": "eventSource",
      "type": "string",
      "doc": "CloudEvents source."
    },
    {
      "name": "eventType",
      "type": "string",
      "doc": "CloudEvents type."
    },
    {
      "name": "acceptedAt",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "Append time of the event in posthorn.events."
    },
    {
      "name": "dispatchedAt",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "When the dispatcher made this delivery; the retry policy's total time starts here."
    },
    {
      "name": "contentType",
      "type": "string",
      "doc": "Content-Type of the body."
    },
    {
      "name": "headers",
      "type": {
        "type": "map",
        "values": "string"
      },
      "doc": "Further request headers that belong to the rendered form."
    },
    {
      "name": "body",
      "type": [
        "null",
        "bytes"
      ],
      "doc": "Request body; null when it could not be rendered.",
      "default": null
    },
    {
      "name": "renderError",
      "type": [
        "null",
        "string"
      ],
      "doc": "Why there is no body.",
      "default": null
    },
    {
      "name": "attempt",
      "type": "int",
      "doc": "POSTs made so far.",
      "default": 0
    },
    {
      "name": "hop",
      "type": "int",
      "doc": "Number of this copy: 0 in posthorn.deliveries, one more for each retry, hop and spill.",
      "default": 0
    },
    {
      "name": "pos",
      "type": [
        "null",
        "long"
      ],
      "doc": "Offset in posthorn.deliveries; null there, set in every copy.",
      "default": null
    },
    {
      "name": "writer",
      "type": [
        "null",
        {
          "type": "record",
          "name": "Epoch",
          "doc": "Who wrote a copy: compared by era, then by generation (DESIGN, Ownership).",
          "fields": [
            {
              "name": "era",
              "type": "int",
              "doc": "Raised by the tool that sets positions."
            },
            {
              "name": "generation",
              "type": "int",
              "doc": "Group generation in which the writer gained the partition."
            }
          ]
        }
      ],
      "doc": "Epoch of the worker that wrote this copy; null in posthorn.deliveries.",
      "default": null
    },
    {
      "name": "dueAt",
      "type": [
        "null",
        {
          "type": "long",
          "logicalType": "timestamp-millis"
        }
      ],
      "doc": "Not to be sent before; null: at once.",
      "default": null
    },
    {
      "name": "scheduleFrom",
      "type": "int",
      "doc": "POSTs made before the retry schedule began anew: 0, or `attempt` when a halted delivery was released.",
      "default": 0
    },
    {
      "name": "scheduledSince",
      "type": [
        "null",
        {
          "type": "long",
          "logicalType": "timestamp-millis"
        }
      ],
      "doc": "Begin of the policy's total time; null: dispatchedAt.",
      "default": null
    },
    {
      "name": "haltedAt",
      "type": [
        "null",
        {
          "type": "long",
          "logicalType": "timestamp-millis"
        }
      ],
      "doc": "When it was exhausted at an endpoint that halts; null: it goes on.",
      "default": null
    },
    {
      "name": "space",
      "type": "string",
      "doc": "Beside (stream, incarnation, source partition): what repeats are looked for in. Empty for live dispatch and replays; of a catch-up, its run, which is one endpoint's.",
      "default": ""
    },
    {
      "name": "renderKind",
      "type": [
        "null",
        "string"
      ],
      "doc": "What kind of fault renderError is: `transformation`, `version` or `too-large`.",
      "default": null
    },
    {
      "name": "members",
      "type": [
        "null",
        {
          "type": "array",
          "items": "posthorn.Delivery"
        }
      ],
      "doc": "Of a batch: the deliveries that travel in one POST, by ascending pos; their bodies make up its body. Null: it is one event.",
      "default": null
    }
  ]
} as const;

export const endOfSpaceSchema = {
  "type": "record",
  "namespace": "posthorn",
  "name": "EndOfSpace",
  "doc": "Stands in posthorn.deliveries: a catch-up or replay has ended. What follows in that space is a repeat (DESIGN §3, Effectively once).",
  "fields": [
    {
      "name": "endpointId",
      "type": "string",
      "doc": "Of a catch-up; empty for a replay."
    },
    {
      "name": "stream",
      "type": "string",
      "doc": "As in Delivery."
    },
    {
      "name": "incarnation",
      "type": "int",
      "doc": "As in Delivery."
    },
    {
      "name": "sourcePartition",
      "type": "int",
      "doc": "As in Delivery."
    },
    {
      "name": "space",
      "type": "string",
      "doc": "As in Delivery."
    }
  ]
} as const;

export const endpointConfigSchema = {
  "type": "record",
  "namespace": "posthorn",
  "name": "EndpointConfig",
  "doc": "What dispatcher and worker need of an endpoint. A deletion is a tombstone.",
  "fields": [
    {
      "name": "endpointId",
      "type": "string",
      "doc": "The record's key."
    },
    {
      "name": "tenantId",
      "type": "string",
      "doc": "Owner."
    },
    {
      "name": "url",
      "type": "string",
      "doc": "Where deliveries are POSTed."
    },
    {
      "name": "eventTypes",
      "type": {
        "type": "array",
        "items": "string"
      },
      "doc": "Patterns: an exact type, `task.*` (any type below task), or `*`."
    },
    {
      "name": "state",
      "type": {
        "type": "enum",
        "name": "EndpointState",
        "symbols": [
          "active",
          "paused",
          "disabled"
        ]
      },
      "doc": "Only an active endpoint gets new deliveries."
    },
    {
      "name": "ordering",
      "type": {
        "type": "enum",
        "name": "EndpointOrdering",
        "symbols": [
          "none",
          "key",
          "endpoint"
        ]
      },
      "doc": "Order asked for.",
      "default": "none"
    },
    {
      "name": "secrets",
      "type": {
        "type": "array",
        "items": {
          "type": "record",
          "name": "EndpointSecret",
          "fields": [
            {
              "name": "secretId",
              "type": "string",
              "doc": "Name of the secret; not secret itself."
            },
            {
              "name": "ciphertext",
              "type": "string",
              "doc": "Sealed by libs/core secret-box: never the secret itself."
            },
            {
              "name": "expiresAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "End of the overlap after a rotation; null: in force.",
              "default": null
            }
          ]
        }
      },
      "doc": "Each signs every request while in force."
    },
    {
      "name": "maxInFlight",
      "type": "int",
      "doc": "POSTs on their way at once."
    },
    {
      "name": "timeoutMs",
      "type": "int",
      "doc": "For the whole request, in milliseconds."
    },
    {
      "name": "retry",
      "type": {
        "type": "record",
        "name": "RetryPolicyConfig",
        "fields": [
          {
            "name": "delaysMs",
            "type": {
              "type": "array",
              "items": "long"
            },
            "doc": "`schedule`: wait before the 2nd, 3rd, … attempt; their number plus one is the number of attempts. Empty for `exponential`."
          },
          {
            "name": "jitter",
            "type": "double",
            "doc": "`proportional`: share by which each delay varies at random, both ways: 0.2 is ±20 %."
          },
          {
            "name": "maxDelayMs",
            "type": "long",
            "doc": "Longest wait that growth may reach or a Retry-After may ask for."
          },
          {
            "name": "kind",
            "type": {
              "type": "enum",
              "name": "RetryKind",
              "symbols": [
                "schedule",
                "exponential"
              ]
            },
            "doc": "Explicit delays, or growth from baseMs by factor.",
            "default": "schedule"
          },
          {
            "name": "baseMs",
            "type": "long",
            "doc": "`exponential`: wait before the 2nd attempt.",
            "default": 0
          },
          {
            "name": "factor",
            "type": "double",
            "doc": "`exponential`: by what each wait exceeds the one before.",
            "default": 1
          },
          {
            "name": "maxAttempts",
            "type": "int",
            "doc": "`exponential`: number of attempts. 0 for `schedule`.",
            "default": 0
          },
          {
            "name": "jitterKind",
            "type": {
              "type": "enum",
              "name": "RetryJitter",
              "symbols": [
                "proportional",
                "full",
                "equal"
              ]
            },
            "doc": "proportional: ± `jitter`. full: from 0 to the delay. equal: from half of it to all of it.",
            "default": "proportional"
          },
          {
            "name": "maxTotalMs",
            "type": [
              "null",
              "long"
            ],
            "doc": "Time after which no further attempt is made, counted from the dispatch; null: no limit.",
            "default": null
          }
        ]
      },
      "doc": "When to try again."
    },
    {
      "name": "revision",
      "type": "int",
      "doc": "Counts the changes of this endpoint, from 1."
    },
    {
      "name": "updatedAt",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "When it was changed."
    },
    {
      "name": "onExhausted",
      "type": {
        "type": "enum",
        "name": "OnExhausted",
        "symbols": [
          "skip",
          "halt"
        ]
      },
      "doc": "With order: whether the next of a key follows a dead letter, or waits until someone decides.",
      "default": "skip"
    },
    {
      "name": "rateLimit",
      "type": [
        "null",
        {
          "type": "record",
          "name": "RateLimit",
          "fields": [
            {
              "name": "limit",
              "type": "int",
              "doc": "POSTs for each `per`."
            },
            {
              "name": "per",
              "type": {
                "type": "enum",
                "name": "RatePeriod",
                "symbols": [
                  "second",
                  "minute",
                  "hour"
                ]
              },
              "doc": "Unit of time."
            },
            {
              "name": "burst",
              "type": "int",
              "doc": "POSTs that may go out at once after a rest."
            }
          ]
        }
      ],
      "doc": "Null: none.",
      "default": null
    },
    {
      "name": "adaptiveConcurrency",
      "type": "boolean",
      "doc": "Whether the in-flight limit halves on 429, 503 and timeouts, and creeps up again.",
      "default": true
    },
    {
      "name": "circuit",
      "type": [
        "null",
        {
          "type": "record",
          "name": "CircuitConfig",
          "fields": [
            {
              "name": "consecutiveFailures",
              "type": "int",
              "doc": "Opens after so many in a row."
            },
            {
              "name": "failureShare",
              "type": "double",
              "doc": "Opens at this share of failures, 0 to 1, …"
            },
            {
              "name": "minRequests",
              "type": "int",
              "doc": "… of at least so many POSTs within windowMs."
            },
            {
              "name": "windowMs",
              "type": "long",
              "doc": "Time over which the share is counted."
            },
            {
              "name": "openMs",
              "type": "long",
              "doc": "Wait before the first probe; doubles with each probe that fails, up to maxOpenMs."
            },
            {
              "name": "maxOpenMs",
              "type": "long",
              "doc": "Longest wait before a probe."
            }
          ]
        }
      ],
      "doc": "Null: the defaults of libs/core.",
      "default": null
    },
    {
      "name": "resolutions",
      "type": {
        "type": "array",
        "items": {
          "type": "record",
          "name": "HaltResolution",
          "fields": [
            {
              "name": "deliveryId",
              "type": "string",
              "doc": "The halted delivery."
            },
            {
              "name": "action",
              "type": {
                "type": "enum",
                "name": "HaltAction",
                "symbols": [
                  "release",
                  "skip"
                ]
              },
              "doc": "release: its schedule begins anew. skip: it becomes a dead letter, and the next follows."
            },
            {
              "name": "at",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When it was decided."
            }
          ]
        }
      },
      "doc": "What was decided of halted deliveries; kept until their outcome is known.",
      "default": []
    },
    {
      "name": "backfill",
      "type": [
        "null",
        "string"
      ],
      "doc": "Run of the cursors that it was created with; null: it began live. A dispatcher looks them up before it sends to it.",
      "default": null
    },
    {
      "name": "filters",
      "type": [
        "null",
        "string"
      ],
      "doc": "JSON array of filter dialects that must all match (libs/filters); null: every event of its types.",
      "default": null
    },
    {
      "name": "versions",
      "type": {
        "type": "map",
        "values": "int"
      },
      "doc": "Event type to the version that it gets; 0: the newest.",
      "default": {}
    },
    {
      "name": "latestByDefault",
      "type": "boolean",
      "doc": "Of a type that is not in `versions`: the newest version instead of the first. True in records that knew no versions.",
      "default": true
    },
    {
      "name": "format",
      "type": {
        "type": "enum",
        "name": "EndpointFormat",
        "symbols": [
          "structured",
          "binary",
          "standard",
          "data"
        ]
      },
      "doc": "CloudEvents structured or binary, the payload of Standard Webhooks, or the bare data.",
      "default": "structured"
    },
    {
      "name": "headers",
      "type": {
        "type": "map",
        "values": "string"
      },
      "doc": "Request headers of its own; not secret.",
      "default": {}
    },
    {
      "name": "compression",
      "type": {
        "type": "enum",
        "name": "EndpointCompression",
        "symbols": [
          "none",
          "gzip"
        ]
      },
      "doc": "Of request bodies.",
      "default": "none"
    },
    {
      "name": "batch",
      "type": [
        "null",
        {
          "type": "record",
          "name": "BatchConfig",
          "fields": [
            {
              "name": "maxEvents",
              "type": "int",
              "doc": "Events of one POST."
            },
            {
              "name": "maxBytes",
              "type": "int",
              "doc": "Of its body, in bytes."
            },
            {
              "name": "maxWaitMs",
              "type": "int",
              "doc": "How long an event waits for others."
            }
          ]
        }
      ],
      "doc": "Null: each event in a POST of its own.",
      "default": null
    },
    {
      "name": "transformationId",
      "type": [
        "null",
        "string"
      ],
      "doc": "Code that each event passes before it is sent (TransformationConfig).",
      "default": null
    },
    {
      "name": "sealedAuthentication",
      "type": [
        "null",
        "string"
      ],
      "doc": "How it is shown who sends, beside the signatures: sealed as secrets are, all of it. Null: not at all.",
      "default": null
    },
    {
      "name": "sealedClientCertificate",
      "type": [
        "null",
        "string"
      ],
      "doc": "For mutual TLS: certificates and private key, sealed as secrets are. Null: none.",
      "default": null
    },
    {
      "name": "caPem",
      "type": [
        "null",
        "string"
      ],
      "doc": "Certificates to trust instead of the public ones, PEM; no secret. Null: the public ones.",
      "default": null
    },
    {
      "name": "awaitsVerification",
      "type": "boolean",
      "doc": "Nothing at all may be sent to its URL until it is verified; `state` then is not active either.",
      "default": false
    },
    {
      "name": "requestOrigin",
      "type": [
        "null",
        "string"
      ],
      "doc": "What its receiver has allowed to send to it, named in WebHook-Request-Origin; null: nothing was asked.",
      "default": null
    }
  ]
} as const;

export const endpointStatusSchema = {
  "type": "record",
  "namespace": "posthorn",
  "name": "EndpointStatus",
  "doc": "How an endpoint stands, told by the owner of its partition of posthorn.deliveries, at most once a second; of the partition itself under the key `partition:<n>`. Advice: nothing depends on it for being right.",
  "fields": [
    {
      "name": "key",
      "type": "string",
      "doc": "The record's key."
    },
    {
      "name": "partition",
      "type": "int",
      "doc": "Of posthorn.deliveries."
    },
    {
      "name": "era",
      "type": "int",
      "doc": "Of the teller's epoch."
    },
    {
      "name": "generation",
      "type": "int",
      "doc": "Of the teller's epoch."
    },
    {
      "name": "at",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "When."
    },
    {
      "name": "readTo",
      "type": "long",
      "doc": "posthorn.deliveries was read up to here."
    },
    {
      "name": "outstanding",
      "type": "int",
      "doc": "Deliveries without a final outcome, of what was read."
    },
    {
      "name": "streams",
      "type": {
        "type": "array",
        "items": {
          "type": "record",
          "name": "StreamStatus",
          "fields": [
            {
              "name": "stream",
              "type": "string",
              "doc": "As in Delivery."
            },
            {
              "name": "outstanding",
              "type": "int",
              "doc": "Of that stream."
            }
          ]
        }
      },
      "doc": "By stream; empty for a partition."
    },
    {
      "name": "circuitOpenUntil",
      "type": [
        "null",
        {
          "type": "long",
          "logicalType": "timestamp-millis"
        }
      ],
      "doc": "Null: the circuit is not open.",
      "default": null
    },
    {
      "name": "overflow",
      "type": "boolean",
      "doc": "More outstanding than the bound."
    }
  ]
} as const;

export const fenceSchema = {
  "type": "record",
  "namespace": "posthorn",
  "name": "Fence",
  "doc": "Stands in a retry partition: its writer has gained the partition. Copies at a higher offset from writers of a lower epoch are void (DESIGN §3, Ownership).",
  "fields": [
    {
      "name": "era",
      "type": "int",
      "doc": "Of the writer's epoch."
    },
    {
      "name": "generation",
      "type": "int",
      "doc": "Of the writer's epoch."
    },
    {
      "name": "committed",
      "type": "long",
      "doc": "Commit of posthorn.deliveries that the writer found."
    },
    {
      "name": "attemptsEnd",
      "type": "long",
      "doc": "End of posthorn.attempts when the writer took over."
    },
    {
      "name": "workerId",
      "type": "string",
      "doc": "The writer, for people."
    },
    {
      "name": "at",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "When."
    }
  ]
} as const;

export const replayConfigSchema = {
  "type": "record",
  "namespace": "posthorn",
  "name": "ReplayConfig",
  "doc": "A replay that workers and dispatchers must know of; stands in posthorn.endpoints under its id. A tombstone once all of it has ended. What it sends is in PostgreSQL.",
  "fields": [
    {
      "name": "replayId",
      "type": "string",
      "doc": "`replay:<uuid>`: the record's key, and the stream of its deliveries."
    },
    {
      "name": "tenantId",
      "type": "string",
      "doc": "Owner."
    },
    {
      "name": "state",
      "type": {
        "type": "enum",
        "name": "ReplayState",
        "symbols": [
          "running",
          "paused",
          "cancelled"
        ]
      },
      "doc": "Of a paused one nothing is sent for now; what is left of a cancelled one is dropped."
    },
    {
      "name": "rateLimit",
      "type": [
        "null",
        {
          "type": "record",
          "name": "ReplayRate",
          "fields": [
            {
              "name": "limit",
              "type": "int",
              "doc": "POSTs for each `per`."
            },
            {
              "name": "per",
              "type": {
                "type": "enum",
                "name": "ReplayRatePeriod",
                "symbols": [
                  "second",
                  "minute",
                  "hour"
                ]
              },
              "doc": "Unit of time."
            },
            {
              "name": "burst",
              "type": "int",
              "doc": "POSTs that may go out at once after a rest."
            }
          ]
        }
      ],
      "doc": "Of each endpoint, beside its own; null: none.",
      "default": null
    },
    {
      "name": "revision",
      "type": "int",
      "doc": "Counts the changes, from 1."
    },
    {
      "name": "updatedAt",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "When it was changed."
    }
  ]
} as const;

export const tenantConfigSchema = {
  "type": "record",
  "namespace": "posthorn",
  "name": "TenantConfig",
  "doc": "A tenant that exists; key `tenant:<id>` in posthorn.endpoints. A deletion is a tombstone.",
  "fields": [
    {
      "name": "tenantId",
      "type": "string",
      "doc": "As in the CloudEvents extension tenantid, or the record key of an event."
    },
    {
      "name": "name",
      "type": "string",
      "doc": "For people."
    },
    {
      "name": "updatedAt",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "When it was changed."
    }
  ]
} as const;

export const transformationConfigSchema = {
  "type": "record",
  "namespace": "posthorn",
  "name": "TransformationConfig",
  "doc": "Code of a tenant that changes what endpoints receive. Stands in posthorn.endpoints under `transformation:<id>`; a deletion is a tombstone.",
  "fields": [
    {
      "name": "transformationId",
      "type": "string",
      "doc": "Named by endpoints."
    },
    {
      "name": "tenantId",
      "type": "string",
      "doc": "Owner."
    },
    {
      "name": "version",
      "type": "int",
      "doc": "Counts the changes of the code, from 1."
    },
    {
      "name": "code",
      "type": "string",
      "doc": "JavaScript with a function `handler(webhook)`."
    },
    {
      "name": "updatedAt",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      },
      "doc": "When the code was changed."
    }
  ]
} as const;
