-- Orders are found by the purchase that a channel split them from as well: 'parent:' with its number.
CREATE OR REPLACE FUNCTION order_document_terms(document text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    parts  jsonb  := document::jsonb;
    terms  text[] := '{}';
    phones text[] := ARRAY[parts->'fulfilment'->'ship_to'->>'phone'];
    digits text;
    phone  text;
    buyer  jsonb;
BEGIN
    FOR buyer IN SELECT jsonb_array_elements(parts->'buyer'->'identities') LOOP
        IF buyer->>'type' = 'phone' THEN
            phones := phones || (buyer->>'value');
        END IF;
    END LOOP;
    FOREACH phone IN ARRAY phones LOOP
        digits := regexp_replace(phone, '[^0-9]', '', 'g');
        IF length(digits) >= 4 THEN
            terms := terms || ('phone:' || right(digits, 4));
        END IF;
    END LOOP;
    IF parts ? 'store' THEN
        terms := terms || ('store:' || (parts->>'store'));
    END IF;
    IF parts ? 'guide' THEN
        terms := terms || ('guide:' || (parts->>'guide'));
    END IF;
    IF parts ? 'parent_order_no' THEN
        terms := terms || ('parent:' || (parts->>'parent_order_no'));
    END IF;
    RETURN terms;
END $$;
