DROP TABLE parcel_updates;
