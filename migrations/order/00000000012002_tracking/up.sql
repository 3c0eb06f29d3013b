-- What carriers report of parcels. Rows are only added; the same report of the same moment is one row.
CREATE TABLE parcel_updates (
    fulfilment_id uuid        NOT NULL,
    tracking_no   text        NOT NULL,
    at            timestamptz NOT NULL,
    status        text        NOT NULL CHECK (status IN ('picked_up', 'in_transit', 'out_for_delivery', 'delivered',
                      'failed_attempt', 'returning')),
    remark        text,
    recorded_at   timestamptz NOT NULL,
    PRIMARY KEY (fulfilment_id, tracking_no, at, status)
);
